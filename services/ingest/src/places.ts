/** Bounds what is under way at once: all of it, and what is one tenant's or client's. */
export interface Places {
  /** False where there is none left. True: `give` must follow, once. */
  take(whose: string): boolean;
  give(whose: string): void;
  readonly taken: number;
}

export function createPlaces(max: number, maxOfOne: number): Places {
  const ofEach = new Map<string, number>();
  let taken = 0;
  return {
    take(whose) {
      const own = ofEach.get(whose) ?? 0;
      if (taken >= max || own >= maxOfOne) return false;
      taken += 1;
      ofEach.set(whose, own + 1);
      return true;
    },
    give(whose) {
      taken -= 1;
      const left = ofEach.get(whose)! - 1;
      if (left > 0) ofEach.set(whose, left);
      else ofEach.delete(whose);
    },
    get taken() {
      return taken;
    },
  };
}
