import { test } from "bun:test";
import { SHAPES } from "./work-shapes.ts";

/* Run by work.test.ts, as a test because only `bun test` counts which lines run. */

const { WORK_SHAPE = "", WORK_SIZE = "0" } = process.env;

test(`${WORK_SHAPE} at ${WORK_SIZE}`, () => SHAPES[WORK_SHAPE]?.(Number(WORK_SIZE)));
