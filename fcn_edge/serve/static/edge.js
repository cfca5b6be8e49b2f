// How the player stays at the live edge: near enough to be live, far enough that no picture comes after its time.
//
// A picture's lead is how long before its time it arrives: its media time less the player's clock. The smallest lead of
// the last second is what could be given up without a picture being late; it is steered to a few milliseconds by
// changing the rate so little that nobody sees it. What is further behind than FAR is caught up quickly, and what is
// further behind than JUMP by one seek: seeking decodes everything since the last keyframe, which costs more.

const SPARE = 0.012; // s that the tightest picture of a second arrives before its time
const BAND = 0.012; // s around it in which nothing is done: no hunting
const FAR = 0.12;
const JUMP = 0.4;
const WINDOW = 1000; // ms

export class Edge {
  constructor() {
    this.clear();
  }

  clear() {
    this.leads = [];
    this.rate = 1;
  }

  /** What to do after a picture arrived with that lead (s) at that time (ms): {seek} or {rate}. */
  after(lead, now) {
    if (lead > JUMP) {
      this.clear();
      return { seek: true, rate: 1 };
    }
    this.leads.push([now, lead]);
    // rare pictures: at least the last three count
    while (this.leads.length > 3 && now - this.leads[0][0] > WINDOW) this.leads.shift();
    const all = this.leads.map((one) => one[1]);
    const least = Math.min(...all);
    const mean = all.reduce((sum, one) => sum + one, 0) / all.length;
    // where pictures come so unevenly that waiting for the latest would take long, some are late
    const over = Math.max(least - SPARE, mean - FAR);
    if (mean > FAR && least > SPARE + BAND) this.rate = 1.5;
    else if (over > 0.06) this.rate = 1.2;
    else if (over > BAND) this.rate = 1.05;
    else if (over < -2 * BAND) this.rate = 0.94;
    else if (over < -BAND) this.rate = 0.98;
    else if ((this.rate > 1 && over <= 0) || (this.rate < 1 && over >= 0)) this.rate = 1;
    return { seek: false, rate: this.rate };
  }
}
