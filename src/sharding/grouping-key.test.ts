import { describe, expect, test } from "bun:test";
import { type GroupingKey, isPushPath, PushPathError, type PushPathOptions, parsePushPath } from "./grouping-key.ts";

const LEGACY: PushPathOptions = { utf8Names: false };
const UTF8: PushPathOptions = { utf8Names: true };

function bytes(text: string): string {
  return Buffer.from(text).toString("latin1");
}

/** Job and labels as one readable line: `a x=1 y=2`. */
function show({ job, labels }: GroupingKey): string {
  return [job, ...labels.map(({ name, value }) => `${name}=${value}`)].join(" ");
}

function refusalOf(path: string, options = LEGACY): PushPathError {
  try {
    parsePushPath(path, options);
  } catch (error) {
    if (error instanceof PushPathError) return error;
    throw error;
  }
  throw new Error(`expected ${JSON.stringify(path)} to be refused`);
}

describe("parsePushPath()", () => {
  describe("reads the grouping key", () => {
    test.each([
      ["/metrics/job/a", "a"],
      ["/metrics/job/a/", "a"],
      ["/metrics/job/a/x/y", "a x=y"],
      ["/metrics/job/a/x/y/z/", "a x=y z="],
      ["/metrics/job/a/x/", "a x="],
      ["/metrics/job/a/instance/", "a instance="],
      ["/metrics/job/a/y/2/x/1", "a x=1 y=2"],
      ["/metrics/job/a/x/1/x/2", "a x=2"],
      ["/metrics/job/a/x/1/b/0/x/2/b/3", "a b=3 x=2"],
      ["/metrics/job/a/job/b", "a"],
      ["/metrics/job/a/x/1/job@base64/Yg", "a x=1"],
      ["/metrics/job/a/Xx/1/_/2/X/3", "a X=3 Xx=1 _=2"],
      ["/metrics/job/job/job/job", "job"],
      ["/metrics/job/metrics/job@base64/", "metrics"],
    ])("of %s", (path, expected) => {
      expect(show(parsePushPath(path, LEGACY))).toBe(expected);
    });
  });

  describe("decodes percent-encoding once", () => {
    test.each([
      ["/metrics/job/a%41", "aA"],
      ["/metrics/job/a%20b/x/c+d", "a b x=c+d"],
      ["/metrics/job/a/x/%252F", "a x=%2F"],
      ["/metrics/job/a%2Fx%2fy", "a x=y"],
      ["/metrics/job%2Fa", "a"],
      ["/metrics/job/a/x%2F", "a x="],
      ["/metr%69cs/%6Aob/a", "a"],
      ["/metrics/job%40base64/YQ", "a"],
      ["/metrics/job/a/x%40base64/YQ%3D%3D", "a x=a"],
      ["/metrics/job/a/x/%3f%23;=&\\|\"'", "a x=?#;=&\\|\"'"],
      ["/metrics/job/a#b/x/c#d", "a#b x=c#d"],
      ["/metrics/job/a/x/%00%0d%0a%7f", "a x=\x00\r\n\x7f"],
      ["/metrics/job/a/x/\xc3\xa4", "a x=\xc3\xa4"],
      ["/metrics/job/a/x/%c3%a4", "a x=\xc3\xa4"],
    ])("in %s", (path, expected) => {
      expect(show(parsePushPath(path, LEGACY))).toBe(expected);
    });
  });

  describe("decodes @base64", () => {
    test.each([
      ["/metrics/job@base64/YQ", "a"],
      ["/metrics/job@base64/L3Zhci8/x/y", "/var/ x=y"],
      ["/metrics/job/a/x@base64/YQ", "a x=a"],
      ["/metrics/job/a/x@base64/YQ==", "a x=a"],
      ["/metrics/job/a/x@base64/YQ=======", "a x=a"],
      ["/metrics/job/a/x@base64/YR", "a x=a"],
      ["/metrics/job/a/x@base64/", "a x="],
      ["/metrics/job/a/x@base64/=", "a x="],
      ["/metrics/job/a/x@base64/Y%0aQ", "a x=a"],
      ["/metrics/job/a/x@base64/%0d%0a", "a x="],
      ["/metrics/job/a/x@base64/-_8", "a x=\xfb\xff"],
    ])("in %s", (path, expected) => {
      expect(show(parsePushPath(path, LEGACY))).toBe(expected);
    });
  });

  describe("refuses in Pushgateway's words", () => {
    test.each([
      ["/metrics/job/a/x", 'odd number of components in label string "/x"'],
      ["/metrics/job/a/x/y/z", 'odd number of components in label string "/x/y/z"'],
      ["/metrics/job/a/x/y/", 'odd number of components in label string "/x/y/"'],
      ["/metrics/job@base64/=/x", 'odd number of components in label string "/x"'],
      ["/metrics/job/a/1x/y", 'improper label name "1x"'],
      ["/metrics/job/a/x-y/z", 'improper label name "x-y"'],
      ["/metrics/job/a/__name__/z", 'improper label name "__name__"'],
      ["/metrics/job/a/__x/c/y@base64/!", 'improper label name "__x"'],
      ["/metrics/job/a/@base64/YQ", 'improper label name ""'],
      ["/metrics/job/a/x@base64@base64/YQ", 'improper label name "x@base64"'],
      ["/metrics/job/a/x@BASE64/YQ", 'improper label name "x@BASE64"'],
      ["/metrics/job/a/%ff/b", 'improper label name "\\xff"'],
      ["/metrics/job/a/%ed%a0%80-/c", 'improper label name "\\xed\\xa0\\x80-"'],
      ["/metrics/job/a/%c3%a4/b", 'improper label name "ä"'],
      ["/metrics/job/a/%22%09%c2%a0/c", 'improper label name "\\"\\t\\u00a0"'],
      ["/metrics/job/a/%00%07%08%0b%0c%0a%0d/c", 'improper label name "\\x00\\a\\b\\v\\f\\n\\r"'],
      ["/metrics/job/a/%c2%ad%f0%9f%98%80%ee%80%80%5c%7f/c", 'improper label name "\\u00ad😀\\ue000\\\\\\x7f"'],
      ["/metrics/job/a/%f3%a0%80%81-/c", 'improper label name "\\U000e0001-"'],
      ["/metrics/job/a/%ef%bf%bd-/c", 'improper label name "\ufffd-"'],
      ["/metrics/job/a/%e0%a5%8d-/c", 'improper label name "\u094d-"'],
      ["/metrics/job/a/x@base64/Y", 'invalid base64 encoding for label x="Y": illegal base64 data at input byte 0'],
      ["/metrics/job/a/x@base64/Y=", 'invalid base64 encoding for label x="Y=": illegal base64 data at input byte 0'],
      [
        "/metrics/job/a/x@base64/Y%0a",
        'invalid base64 encoding for label x="Y\\n": illegal base64 data at input byte 1',
      ],
      ["/metrics/job/a/x@base64/+w", 'invalid base64 encoding for label x="+w": illegal base64 data at input byte 0'],
      [
        "/metrics/job/a/x@base64/YQ%3Da",
        'invalid base64 encoding for label x="YQ=a": illegal base64 data at input byte 2',
      ],
      ["/metrics/job/a/job@base64/Y", 'invalid base64 encoding for label job="Y": illegal base64 data at input byte 0'],
      ["/metrics/job@base64/Y", 'invalid base64 encoding in job name "": illegal base64 data at input byte 0'],
      ["/metrics/job@base64/!!/x", 'invalid base64 encoding in job name "": illegal base64 data at input byte 0'],
      ["/metrics/job@base64/YQ=a", 'invalid base64 encoding in job name "": illegal base64 data at input byte 2'],
      ["/metrics/job@base64/YWJj%00", 'invalid base64 encoding in job name "abc": illegal base64 data at input byte 4'],
      [
        "/metrics/job@base64/_%0d_8%0aY!",
        'invalid base64 encoding in job name "\\xff\\xff\\x18": illegal base64 data at input byte 6',
      ],
      [
        "/metrics/job@base64/YW%0aJjY",
        'invalid base64 encoding in job name "abc": illegal base64 data at input byte 5',
      ],
      ["/metrics/job@base64/=", "job name is required"],
      ["/metrics/job@base64/====", "job name is required"],
    ])("%s", (path, message) => {
      expect(refusalOf(path)).toMatchObject({ status: 400, message });
    });
  });

  describe("refuses what Pushgateway would redirect, and says how to write it", () => {
    test.each([
      ["//metrics/job/a", "<name>@base64/="],
      ["/%2Fmetrics/job/a", "<name>@base64/="],
      ["/metrics/job/a//", "<name>@base64/="],
      ["/metrics/job/a//b/c", "<name>@base64/="],
      ["/metrics/job/a%2F%2Fb", "<name>@base64/="],
      ["/metrics/job/a/x%2F%2F", "<name>@base64/="],
      ["/metrics/job@base64//x/y", "<name>@base64/="],
      ["/metrics/job/a/x/..", "<name>@base64/Li4"],
      ["/metrics/job/a/x/%2e%2e", "<name>@base64/Li4"],
      ["/metrics/job/a/x/.", "<name>@base64/Li4"],
      ["/metrics/job/a/x/%2E/", "<name>@base64/Li4"],
      ["/metrics/job/..", "<name>@base64/Li4"],
      ["/metrics/job/../a", "<name>@base64/Li4"],
      ["/x/../metrics/job/a", "<name>@base64/Li4"],
      ["/Metrics/Job/a", "write /metrics/job"],
      ["/metrics%2FJOB@BASE64/YQ", "write /metrics/job"],
      ["/metrics/job@BASE64/YQ", "write /metrics/job"],
    ])("%s", (path, remedy) => {
      const { status, message } = refusalOf(path);
      expect(status).toBe(400);
      expect(message).toStartWith("Cannot push to ");
      expect(message).toEndWith(remedy);
      expect(isPushPath(path)).toBe(true);
    });
  });

  test.each([
    "/metrics/job/%zz",
    "/metrics/job/a%",
    "/metrics/job/a%4",
    "/metrics/job/a/\x01/b",
    "/metrics/job/a/x/\x7f",
  ])("refuses the malformed target %j", (path) => {
    expect(refusalOf(path)).toMatchObject({ status: 400, message: expect.stringContaining("percent sign") });
    expect(isPushPath(path)).toBe(true);
  });

  test("takes three dots for a value", () => {
    expect(show(parsePushPath("/metrics/job/.../x/.a", LEGACY))).toBe("... x=.a");
  });

  // Pushgateway redirects to /metrics/job, which it does not know.
  test.each(["/metrics/job/", "/metrics/job@base64/", "/metrics/job%2F"])("asks %s for its job", (path) => {
    expect(refusalOf(path)).toMatchObject({ status: 400, message: "job name is required" });
    expect(isPushPath(path)).toBe(true);
  });

  test("shows no more than the beginning of a long path", () => {
    expect(refusalOf(`/metrics/job/${"a".repeat(100_000)}/x/..`).message.length).toBeLessThan(400);
  });

  test.each([
    "/",
    "",
    "*",
    "/metrics",
    "/metrics/",
    "/metrics/job",
    "/metrics/jobs/a",
    "/metrics/job@base64x/a",
    "/api/v1/metrics",
    "/metrics/../job/a",
    "/metrics/job%00/a",
    "metrics/job/a",
  ])("knows that %j is no push path", (path) => {
    expect(isPushPath(path)).toBe(false);
    expect(refusalOf(path).status).toBe(404);
  });

  describe("with UTF-8 names", () => {
    test.each([
      ["/metrics/job/a/1x/y", "a 1x=y"],
      ["/metrics/job/a/a.b/c", "a a.b=c"],
      ["/metrics/job/a/%20/c", "a  =c"],
      ["/metrics/job/a/%c3%a4/b", bytes("a ä=b")],
      ["/metrics/job/a/x@base64@base64/YQ", "a x@base64=a"],
      ["/metrics/job/a/x@BASE64/YQ", "a x@BASE64=YQ"],
      ["/metrics/job/a/U__a_2e_b/c", "a a.b=c"],
      ["/metrics/job/a/U__a_2E_b/c", "a a.b=c"],
      ["/metrics/job/a/U__a_2e_b@base64/Yw", "a a.b=c"],
      ["/metrics/job/a/U__x_1f600_/c", bytes("a x😀=c")],
      ["/metrics/job/a/U__x_e4_/c", bytes("a xä=c")],
      ["/metrics/job/a/U__x_20ac_/c", bytes("a x€=c")],
      ["/metrics/job/a/U__x_0_/c", "a x\0=c"],
      ["/metrics/job/a/U__x_0002e_/c", "a x.=c"],
      ["/metrics/job/a/U__x_%12e_/c", "a x.=c"],
      ["/metrics/job/a/U____x/c", "a _x=c"],
      ["/metrics/job/a/U____/c", "a _=c"],
      ["/metrics/job/a/U__job/b", "a"],
      ["/metrics/job/a/x/1/U__x/2", "a x=2"],
      ["/metrics/job/a/U__x/1/x/2", "a x=2"],
      ["/metrics/job/a/U___78/c", "a U___78=c"],
      ["/metrics/job/a/U___/c", "a U___=c"],
      ["/metrics/job/a/U__x_2e/c", "a U__x_2e=c"],
      ["/metrics/job/a/U__x_2e__/c", "a U__x_2e__=c"],
      ["/metrics/job/a/U__x__2e_/c", "a U__x__2e_=c"],
      ["/metrics/job/a/U__x_g_/c", "a U__x_g_=c"],
      ["/metrics/job/a/U__x_P2e_/c", "a U__x_P2e_=c"],
      ["/metrics/job/a/U__x_d800_/c", "a U__x_d800_=c"],
      ["/metrics/job/a/U__x_00002e_/c", "a U__x_00002e_=c"],
      ["/metrics/job/a/U__x_10ffff_/c", "a U__x_10ffff_=c"],
    ])("reads %s", (path, expected) => {
      expect(show(parsePushPath(path, UTF8))).toBe(expected);
    });

    test.each([
      ["/metrics/job/a/U__/c", 'improper label name "U__"'],
      ["/metrics/job/a/@base64/YQ", 'improper label name ""'],
      ["/metrics/job/a/%ff/c", 'improper label name "\\xff"'],
      ["/metrics/job/a/U__%ff/c", 'improper label name "U__\\xff"'],
      ["/metrics/job/a/__x/c", 'improper label name "__x"'],
      ["/metrics/job/a/U___5f__5f_x/c", 'improper label name "__x"'],
      ["/metrics/job/a/U______x/c/y", 'odd number of components in label string "/U______x/c/y"'],
      [
        "/metrics/job/a/%c3%a4@base64/Y",
        'invalid base64 encoding for label ä="Y": illegal base64 data at input byte 0',
      ],
    ])("refuses %s", (path, message) => {
      expect(refusalOf(path, UTF8)).toMatchObject({ status: 400, message });
    });

    test("leaves escaped names alone where Pushgateway does", () => {
      expect(show(parsePushPath("/metrics/job/a/U__a_2e_b/c", LEGACY))).toBe("a U__a_2e_b=c");
    });
  });

  test.each([
    ["/metrics/job/a/x/%c3%a4", true],
    ["/metrics/job/%e4%bb%bb%e5%8a%a1/x/%f0%9f%98%80", true],
    ["/metrics/job/a/x/\xff", false],
    ["/metrics/job/%ff", false],
    ["/metrics/job/a/x@base64/_w", false],
    ["/metrics/job@base64/_w", false],
    ["/metrics/job/a/x/%c3/y/%a4", false],
    ["/metrics/job/a/x/%ed%a0%80", false],
    ["/metrics/job/a/x/%c0%af", false],
    ["/metrics/job/a/x/%f4%90%80%80", false],
    ["/metrics/job/a/x/%ff/x/y", true],
    ["/metrics/job/a/job/%ff", true],
  ])("tells whether %j holds UTF-8 only: %p", (path, expected) => {
    expect(parsePushPath(path, LEGACY).validUtf8).toBe(expected);
  });

  describe("gives the canonical path", () => {
    test.each([
      ["/metrics/job/a", "/metrics/job/a"],
      ["/metrics/job/a/", "/metrics/job/a"],
      ["/metrics/job/a/x/", "/metrics/job/a/x/"],
      ["/metrics/job/a/y/2/x/1", "/metrics/job/a/x/1/y/2"],
      ["/metrics/job/a/y/1/x/1", "/metrics/job/a/x/1/y/1"],
      ["/metrics/job/a/x@base64/MQ", "/metrics/job/a/x/1"],
      ["/metrics/job@base64/YQ/x@base64/MQ", "/metrics/job/a/x/1"],
      ["/metrics/job%2Fa/x/%c3%a4", "/metrics/job/a/x/\xc3\xa4"],
      ["/metrics/job/a/x/1/x/2/job/b", "/metrics/job/a/x/2"],
    ])("of %s", (path, expected) => {
      expect(parsePushPath(path, LEGACY).canonicalPath).toBe(expected);
    });
  });
});
