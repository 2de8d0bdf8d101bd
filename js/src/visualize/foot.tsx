import { useMemo } from "preact/hooks";
import { type Cell, useCell } from "./cell";
import { SHAPE_OF, TONES, type Tone, tone } from "./kinds";
import { nodeWords } from "./overview";
import type { Picture } from "./picture";
import { Mark } from "./tree-row";

/** The last line: what happened, else the node under the pointer or the keyboard; what the marks mean. */
export function Foot({ picture, status, told }: { picture: Picture; status: string; told: Cell<number> }) {
  const hovered = useCell(told);
  const node = hovered >= 0 && hovered < picture.index.nodes ? hovered : picture.active;
  const tones = useMemo(() => usedTones(picture), [picture.index]);
  return (
    <div class="sg-foot">
      <p class="sg-status" role="status">
        {status}
      </p>
      {!status && (
        <bdi class="sg-told" aria-hidden="true">
          {node >= 0 && nodeWords(picture, node)}
        </bdi>
      )}
      <span class="sg-legend" aria-hidden="true">
        {tones.map((each) => (
          <span key={each} class={`sg-tone-${each}`}>
            <Mark shape={SHAPE_OF[each]} />
            <span class="sg-legend-word">{each}</span>
          </span>
        ))}
      </span>
    </div>
  );
}

function usedTones({ index }: Picture): Tone[] {
  const used = new Set<Tone>();
  for (let node = 0; node < index.nodes && used.size < TONES.length; node++) used.add(tone(index, node));
  return TONES.filter((each) => used.has(each));
}
