// Who is best, from who beat whom: TrueSkill's comparisons (Herbrich, Minka and Graepel 2006). Run: npx tsx examples/ep/skill.ts
import { bernoulli, infer, model, normal, type Tensor } from "ansatz";

const PERFORMANCE_SD = 25 / 6;

const skills = model(({ sample, observe, plate }, { winner, loser }: { winner: Tensor; loser: Tensor }) => {
  const skill = sample("skill", normal(25, 25 / 3), [5]);
  plate("game", winner.shape[0]!, (game) => {
    // Each plays as well as N(skill, sd²); the better performance wins: Φ((difference of skills) / (√2 sd)).
    const lead = skill.at(winner.at(game)).sub(skill.at(loser.at(game))).div(Math.SQRT2 * PERFORMANCE_SD); // biome-ignore format: one line
    observe("won", bernoulli(lead.div(Math.SQRT2).erf().add(1).div(2)), 1);
  });
  return { skill };
});

const games = { winner: [0, 0, 1, 1, 2, 3, 3, 0, 1, 2], loser: [1, 2, 2, 3, 3, 4, 4, 3, 4, 4] };
const posterior = await infer(skills, games, { method: "ep" });
console.log(posterior.summary());
