/** localStorage throws where the person has switched it off; a choice that is not remembered is no reason to fail. */
export function remember(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch (error) {
    console.warn(`${key} is not remembered:`, error);
  }
}

export function recall(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch (error) {
    console.warn(`${key} cannot be read:`, error);
    return null;
  }
}
