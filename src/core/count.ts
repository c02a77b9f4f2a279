/** How many there are of a thing: `1 layer`, `39 layers`. */
export const countText = (number: number, one: string): string => `${number} ${one}${number === 1 ? '' : 's'}`;
