/** Set for quick work on the acceptance tests: checks a part of what takes minutes. */
export const quick = Boolean(process.env.ANSATZ_QUICK);
