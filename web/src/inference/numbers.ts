/** Numbers in texts, rounded as Python rounds them. */

import { rint } from "../reading/greyscale";

/** A number with so many decimals; halves go to the even digit. */
export function decimal(value: number, digits: number): string {
  const isHalf = Number.isInteger(value * 4); // only quarters and halves can lie in the middle exactly
  const power = 10 ** digits;
  return (isHalf ? rint(value * power) / power : value).toFixed(digits);
}

export function percent(share: number, digits = 0): string {
  return `${decimal(100 * share, digits)} %`;
}
