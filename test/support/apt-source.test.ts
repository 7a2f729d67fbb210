import { describe, expect, test } from "bun:test";
import { debianSource } from "./apt-source.ts";

const DEB822 = `Types: deb
URIs: http://third-party.test/apt
Suites: nodistro
Components: main

# The archive.
Types: deb deb-src
# A snapshot could be named here.
URIs: http://mirror.test/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 -----END PGP PUBLIC KEY BLOCK-----

Types: deb
URIs: http://mirror.test/debian-security
Suites: bookworm-security
Components: main
`;

const ONE_LINE = `# deb http://old.test/debian bookworm main
deb-src http://mirror.test/debian bookworm main
deb http://mirror.test/debian-security bookworm-security main
deb [arch=amd64 signed-by=/usr/share/keyrings/x.gpg] http://mirror.test/debian bookworm main contrib # archive
`;

describe("debianSource()", () => {
  test("keeps the paragraph of a .sources file but for types, suite and components", () => {
    const source = debianSource("debian.sources", DEB822, "bookworm");
    expect(source?.fileName).toBe("sources.sources");
    expect(source?.forSuite("bullseye")).toBe(`Types: deb
URIs: http://mirror.test/debian
Suites: bullseye
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 -----END PGP PUBLIC KEY BLOCK-----
`);
  });

  test("keeps the options of a line of a .list file", () => {
    const source = debianSource("sources.list", ONE_LINE, "bookworm");
    expect(source?.fileName).toBe("sources.list");
    expect(source?.forSuite("trixie")).toBe(
      "deb [arch=amd64 signed-by=/usr/share/keyrings/x.gpg] http://mirror.test/debian trixie main\n",
    );
  });

  test.each([
    ["debian.sources", DEB822, "trixie"],
    ["debian.sources", DEB822.replaceAll("Types: deb", "Enabled: no\nTypes: deb"), "bookworm"],
    ["sources.list", ONE_LINE, "trixie"],
    ["sources.list", "", "bookworm"],
  ])("finds nothing in %s where the suite is missing or switched off", (file, text, codename) => {
    expect(debianSource(file, text, codename)).toBeUndefined();
  });
});
