/** Pictures beside words; a screen reader hears the words alone. */

export function ThumbIcon({ down }: { down: boolean }) {
  return (
    <svg class="sg-icon" viewBox="0 0 16 16" aria-hidden="true">
      <path
        transform={down ? "rotate(180 8 8)" : undefined}
        d="M2 7.5h2.5V14H2zM4.5 7.5 7.6 1.8c1.3.1 2 1 1.8 2.3L8.9 6.5H13a1.3 1.3 0 0 1 1.3 1.6l-1.1 4.8A1.4 1.4 0 0 1 11.8 14H4.5"
      />
    </svg>
  );
}

export function CheckIcon() {
  return (
    <svg class="sg-icon" viewBox="0 0 16 16" aria-hidden="true">
      <path d="m3 8.5 3.2 3.2L13 4.8" />
    </svg>
  );
}
