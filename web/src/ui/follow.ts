/** Keeps a scrolling area at its end while it grows, and yields when the person scrolls up. */

const NEAR = 48; // px from the end that still count as being there

export class Follower {
  readonly #area: HTMLElement;
  readonly #onChange: (isFollowing: boolean) => void;
  readonly #observer: ResizeObserver;
  #isFollowing = true;
  #lastTop = 0;
  #lastHeight = 0;

  constructor(area: HTMLElement, content: HTMLElement, onChange: (isFollowing: boolean) => void) {
    this.#area = area;
    this.#onChange = onChange;
    this.#observer = new ResizeObserver(() => this.#grew());
    this.#observer.observe(content);
    this.#observer.observe(area);
    area.addEventListener("scroll", this.#scrolled, { passive: true });
  }

  /** Content that is read from its beginning is not followed. */
  isPaused = false;

  /** Go to the end and stay there. */
  toEnd(isSmooth = false): void {
    this.#become(true);
    const behavior = isSmooth && !prefersStillness() ? "smooth" : "instant";
    this.#area.scrollTo({ top: this.#area.scrollHeight, behavior });
  }

  /** Let something be added above without moving what is being read. */
  async keepPlace(change: () => Promise<void>): Promise<void> {
    const fromEnd = this.#area.scrollHeight - this.#area.scrollTop;
    this.#become(false);
    await change();
    this.#area.scrollTop = this.#area.scrollHeight - fromEnd;
  }

  disconnect(): void {
    this.#observer.disconnect();
    this.#area.removeEventListener("scroll", this.#scrolled);
  }

  #grew(): void {
    if (this.isPaused) return;
    if (this.#isFollowing) this.#area.scrollTop = this.#area.scrollHeight;
    else if (this.#isAtEnd()) this.#become(true);
  }

  readonly #scrolled = (): void => {
    const { scrollTop, scrollHeight } = this.#area;
    const wentUp = scrollTop < this.#lastTop - 2;
    // Content that shrinks moves the place up too; that is not the person's doing.
    const hasShrunk = scrollHeight < this.#lastHeight;
    this.#lastTop = scrollTop;
    this.#lastHeight = scrollHeight;
    if (this.#isAtEnd()) this.#become(true);
    else if (wentUp && !hasShrunk) this.#become(false);
  };

  #isAtEnd(): boolean {
    const { scrollTop, scrollHeight, clientHeight } = this.#area;
    return scrollHeight - scrollTop - clientHeight <= NEAR;
  }

  #become(isFollowing: boolean): void {
    if (this.#isFollowing === isFollowing) return;
    this.#isFollowing = isFollowing;
    this.#onChange(isFollowing);
  }
}

function prefersStillness(): boolean {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}
