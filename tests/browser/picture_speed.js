// Measures a picture that `pictures.py` put on the page; times in milliseconds.
async ([bundle, traits, content]) => {
  const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
  // Two frames: what was changed before the first is on the screen at the second.
  const painted = async () => (await frame(), await frame(), performance.now());
  const until = async (holds) => {
    while (!holds()) await frame();
  };
  await stage.end();
  Object.assign(stage.content, content);
  const index = stage.bytes(traits.index);
  const round = (number) => Math.round(number * 10) / 10;

  let begin = performance.now();
  await stage.show(bundle, { ...traits, index });
  await until(() => document.querySelector("[role=treeitem]"));
  const shown = (await painted()) - begin;

  const tree = document.querySelector("[role=tree]");
  document.querySelector("[aria-label='Open all']").click();
  await painted();
  const scroll = async (step) => {
    tree.scrollTop = 0;
    await painted();
    let frames = 0;
    let longest = 0;
    let last = performance.now();
    const start = last;
    while (last - start < 2000) {
      tree.scrollTop += step;
      if (tree.scrollTop + tree.clientHeight >= tree.scrollHeight - 1) tree.scrollTop = 0;
      await frame();
      const now = performance.now();
      longest = Math.max(longest, now - last);
      last = now;
      frames++;
    }
    return [(1000 * frames) / (last - start), longest];
  };
  const [slow, longest] = await scroll(40);
  const [fast] = await scroll(2400);
  const rows = document.querySelectorAll("[role=treeitem]").length;

  begin = performance.now();
  document.querySelector("[aria-label='Close all']").click();
  await painted();
  document.querySelector("[aria-label='Open all']").click();
  const toggled = ((await painted()) - begin) / 2;

  const field = document.querySelector("[type=search]");
  stage.holds = true;
  field.value = "sought";
  field.dispatchEvent(new Event("input", { bubbles: true }));
  await until(() => stage.waiting.some(({ method }) => method === "search"));
  begin = performance.now();
  stage.release();
  const found = (await painted()) - begin;

  return {
    shown: round(shown),
    scroll_fps: round(slow),
    fast_scroll_fps: round(fast),
    longest_frame: round(longest),
    toggle_all: round(toggled),
    search_drawn: round(found),
    rows_in_document: rows,
  };
};
