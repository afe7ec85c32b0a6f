/** Speed and time left of a run, from counts of steps and examples as they come. Stages that train nothing are left out. */
export class Throughput {
  private readonly now: () => number;
  private lastTime: number;
  /** Seconds and examples, older ones weighing less: each slice of time t divides the past by e^(t / memory). */
  private seconds = 0;
  private examples = 0;
  private steps = 0;

  constructor(now: () => number = () => performance.now()) {
    this.now = now;
    this.lastTime = now();
  }

  /** Counts work done since the last call (or since `skip`). */
  count(steps: number, examples: number): void {
    const elapsed = this.elapsed();
    const kept = Math.exp(-elapsed / memorySeconds);
    this.seconds = this.seconds * kept + elapsed;
    this.examples = this.examples * kept + examples;
    this.steps = this.steps * kept + steps;
  }

  /** The time since the last call was spent on something else. */
  skip(): void {
    this.elapsed();
  }

  get examplesPerSecond(): number {
    return this.seconds > 0 ? this.examples / this.seconds : 0;
  }

  secondsFor(steps: number): number | null {
    return this.steps > 0 ? (steps * this.seconds) / this.steps : null;
  }

  private elapsed(): number {
    const time = this.now();
    const elapsed = (time - this.lastTime) / 1000;
    this.lastTime = time;
    return elapsed;
  }
}

const memorySeconds = 10;
