import { variance } from "./moments.ts";

/**
 * Energy Bayesian fraction of missing information of one chain, Σ (E_n − E_{n−1})² / Σ (E_n − Ē)²: how well momentum
 * resampling explores the energies (Betancourt 2016, eq. 3; below 0.3 it does not). Both sums as means.
 */
export function ebfmi(energy: ArrayLike<number>): number {
  let squares = 0;
  for (let i = 1; i < energy.length; i++) squares += (energy[i]! - energy[i - 1]!) ** 2;
  return squares / (energy.length - 1) / variance(energy);
}
