export interface SeparatorProps {
  label: string;
  isVertical: boolean;
  value: number;
  min: number;
  max: number;
  step: number;
  /** How much `value` grows with one pixel of the pointer's way. */
  perPixel(): number;
  onChange(value: number): void;
}

/** A line between two panes that the pointer drags and the arrow keys move. */
export function Separator({ label, isVertical, value, min, max, step, perPixel, onChange }: SeparatorProps) {
  const set = (next: number) => onChange(Math.max(min, Math.min(max, next)));

  function press(event: KeyboardEvent) {
    const less = isVertical ? "ArrowLeft" : "ArrowUp";
    const more = isVertical ? "ArrowRight" : "ArrowDown";
    if (event.key === less) set(value - step);
    else if (event.key === more) set(value + step);
    else if (event.key === "Home") set(min);
    else if (event.key === "End") set(max);
    else return;
    event.preventDefault();
  }

  function grab(event: PointerEvent) {
    const line = event.currentTarget as HTMLElement;
    const where = (each: PointerEvent) => (isVertical ? each.clientX : each.clientY);
    const begin = where(event);
    event.preventDefault();
    line.focus();
    line.setPointerCapture(event.pointerId);
    const drag = (each: PointerEvent) => set(value + (where(each) - begin) * perPixel());
    const drop = () => {
      line.removeEventListener("pointermove", drag);
      line.removeEventListener("lostpointercapture", drop);
    };
    line.addEventListener("pointermove", drag);
    line.addEventListener("lostpointercapture", drop);
  }

  return (
    // biome-ignore lint/a11y/useSemanticElements: a line that is moved, not one between paragraphs
    <div
      role="separator"
      tabIndex={0}
      class={`sg-separator sg-separator-${isVertical ? "vertical" : "horizontal"}`}
      aria-label={label}
      aria-orientation={isVertical ? "vertical" : "horizontal"}
      aria-valuenow={Math.round(value)}
      aria-valuemin={min}
      aria-valuemax={max}
      title={label}
      onKeyDown={press}
      onPointerDown={grab}
    />
  );
}
