import { expect, test } from "bun:test";
import { crc32c } from "./crc32c.ts";

// RFC 3720, appendix B.4, and the check value of the catalogue of CRCs.
test.each([
  [Buffer.alloc(32), 0x8a9136aa],
  [Buffer.alloc(32, 0xff), 0x62a8ab43],
  [Buffer.from("123456789"), 0xe3069283],
  [Buffer.alloc(0), 0],
])("crc32c() of %p", (bytes, checksum) => {
  expect(crc32c(bytes)).toBe(checksum);
});
