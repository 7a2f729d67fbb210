import { describe, expect, test } from "bun:test";
import {
  checkDelayMs,
  type Health,
  type HealthEvent,
  type HealthRules,
  hasProvedItself,
  nextHealth,
  UNCHECKED,
} from "./health.ts";

const rules: HealthRules = { failuresBeforeDown: 3, successesBeforeActive: 2, steadyMs: 60_000, contestMs: 10_000 };

const EVENTS: Readonly<Record<string, HealthEvent>> = {
  "+": { type: "passed", reason: "answers 200" },
  "-": { type: "failed", certain: false, reason: "no answer" },
  x: { type: "failed", certain: true, reason: "connection refused" },
  "!": { type: "condemned", isSilent: false, reason: "a push found nobody" },
  v: { type: "vouched", reason: "passing in Consul" },
  a: { type: "accused", reason: "critical in Consul" },
  u: { type: "unvouched" },
};

/**
 * Plays events, a second apart, admitting the member as soon as it has proved itself. A digit skips so many ten
 * seconds.
 */
function play(script: string, start = UNCHECKED): Health {
  let now = 1_000_000;
  let health = start;
  for (const letter of script.replaceAll(" ", "")) {
    now += 1_000;
    const event = EVENTS[letter];
    if (event === undefined) {
      now += Number(letter) * 10_000;
      continue;
    }
    health = nextHealth(health, event, rules, now);
    if (hasProvedItself(health, rules)) health = nextHealth(health, { type: "admitted" }, rules, now);
  }
  return health;
}

describe("nextHealth()", () => {
  test.each<[string, string, Health["phase"]]>([
    ["the first check decides at once: passed", "+", "up"],
    ["the first check decides at once: failed", "-", "down"],
    ["the first check decides at once: refused", "x", "down"],
    ["discovery's word against a new member is final", "a", "down"],
    ["discovery's word is enough for a new member", "v", "up"],
    ["one failure is an accident", "+ -", "up"],
    ["two failures are a doubt", "+ --", "up"],
    ["three failures in a row are the end", "+ ---", "down"],
    ["a success in between starts the count anew", "+ --+--", "up"],
    ["discovery's word in between starts the count anew", "v --v--", "up"],
    ["a refused connection is the end at once", "+ x", "down"],
    ["so is an undelivered push", "+ !", "down"],
    ["one success after a fall is not enough", "+ ! +", "joining"],
    ["two successes in a row are", "+ ! ++", "up"],
    ["a failure in between starts the return anew", "+ ! +-+", "joining"],
    ["discovery's word does not overrule what we saw ourselves", "+ ! vvvv", "down"],
    ["nor does it shorten the return", "+ ! +vvv", "joining"],
    ["a joining member that is refused falls back", "+ ! + x", "down"],
    ["a joining member that discovery calls critical falls back", "+ ! + a", "down"],
    ["discovery alone does not take out a member in service", "v aaa", "up"],
    ["not while it passes our own checks", "v a+++", "up"],
    ["one failed check of our own proves discovery right", "v a -", "down"],
    ["so does an undelivered push", "v a !", "down"],
    ["discovery may take it back", "v a v --", "up"],
    ["discovery may lose sight of it", "v a u --", "up"],
    ["discovery is believed when it insists", "v a+ 1 +", "down"],
    ["repeating itself does not give the member more time", "v a+ a+a+ 1 +", "down"],
    ["taking it back does", "v a+ 1 va+", "up"],
  ])("%s (%s)", (_what, script, phase) => {
    expect(play(script).phase).toBe(phase);
  });

  test.each<[string, string, Health["phase"]]>([
    ["the second return takes twice as many successes", "+ !++ !+++", "joining"],
    ["and not more than that", "+ !++ !++++", "up"],
    ["the third takes four times as many", "+ !++ !++++ !+++++++", "joining"],
    ["a failed attempt to return is no relapse", "+ !+!+!+! ++", "up"],
    ["a minute in service makes good", "+ !++ !++++ 6 !++", "up"],
    ["half a minute does not", "+ !++ !++++ 3 !++++", "joining"],
  ])("%s (%s)", (_what, script, phase) => {
    expect(play(script).phase).toBe(phase);
  });

  test("bounds what a relapsing member has to prove", () => {
    const notorious = play(`+${`!${"+".repeat(32)}`.repeat(20)}`);
    expect(notorious.phase).toBe("up");
    expect(notorious.relapses).toBe(4);
  });

  test("lets a member that flaps every second move its keys a few times in ten minutes, not hundreds of times", () => {
    let health = play("+");
    let returns = 0;
    // Checked every 0.9 s, up in odd and down in even seconds: its successes come in pairs again and again.
    for (let now = 0; now < 600_000; now += 900) {
      const isUp = Math.floor(now / 1_000) % 2 === 1;
      health = nextHealth(
        health,
        isUp ? { type: "passed", reason: "" } : { type: "condemned", isSilent: true, reason: "" },
        rules,
        now,
      );
      if (!hasProvedItself(health, rules)) continue;
      health = nextHealth(health, { type: "admitted" }, rules, now);
      returns += 1;
    }
    expect(returns).toBeGreaterThan(0);
    expect(returns).toBeLessThan(4);
  });

  test("gives the reason of the last turn for the worse", () => {
    expect(play("+").reason).toBe("answers 200");
    expect(play("+ --").reason).toBe("answers 200");
    expect(play("+ ---").reason).toBe("no answer");
    expect(play("+ --- x").reason).toBe("connection refused");
    expect(play("+ --- !").reason).toBe("a push found nobody");
    expect(play("+ ! +").reason).toBe("is back, and proves itself");
    expect(play("+ ! ++").reason).toBe("is back");
    expect(play("v a -").reason).toBe("no answer");
    expect(play("v a+ 1 +").reason).toBe("critical in Consul");
  });
});

describe("checkDelayMs()", () => {
  test.each<[string, string, number]>([
    ["a steady member: a whole interval", "+", 5_000],
    ["a member in doubt: quickly", "+ -", 1_000],
    ["a joining member: quickly", "+ ! +", 1_000],
    ["a member that fell just now: quickly", "+ !", 1_000],
    ["a member that discovery calls critical: quickly", "+ a+", 1_000],
    ["a member that stays down: a whole interval", "+ ! --x--", 5_000],
  ])("%s (%s)", (_what, script, delay) => {
    expect(checkDelayMs(play(script), 5_000)).toBe(delay);
  });
});
