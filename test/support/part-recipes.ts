/** How a program from outside is obtained: Debian packages unpacked side by side, and what the program needs to run from there. */
export interface PartRecipe {
  readonly suite: "bullseye" | "bookworm" | "trixie";
  /** Debian packages, the one that names the version first. Shared libraries follow, but never libc: the machine's is used. */
  readonly packages: readonly string[];
  /** The program's path inside the unpacked packages. */
  readonly binary: string;
  /** Environment of the program; `$root` stands for the unpacked packages, `$multiarch` for Debian's name of the machine. */
  readonly environment?: Readonly<Record<string, string>>;
  /** A command that does as well when the machine has it on its PATH. */
  readonly systemCommand?: string;
}

const GO_ENVIRONMENT = {
  GOROOT: "$root/usr/lib/go-1.19",
  GOPATH: "$root/usr/share/gocode",
  GOCACHE: "$root/build-cache",
  GO111MODULE: "off",
  GOFLAGS: "",
  CGO_ENABLED: "0",
};

/** Every outside program that tests, benchmarks and the demo use. */
export const PART_RECIPES = {
  consul: { suite: "bullseye", packages: ["consul"], binary: "usr/bin/consul" },
  "pushgateway-1.5.1": {
    suite: "bookworm",
    packages: ["prometheus-pushgateway"],
    binary: "usr/bin/prometheus-pushgateway",
  },
  "pushgateway-1.11.0": {
    suite: "trixie",
    packages: ["prometheus-pushgateway"],
    binary: "usr/bin/prometheus-pushgateway",
  },
  prometheus: { suite: "bookworm", packages: ["prometheus"], binary: "usr/bin/prometheus" },
  promtool: { suite: "bookworm", packages: ["prometheus"], binary: "usr/bin/promtool" },
  // The last one that Debian built with consul_sd; http_sd came with 2.28.
  "prometheus-2.24": { suite: "bullseye", packages: ["prometheus"], binary: "usr/bin/prometheus" },
  "promtool-2.24": { suite: "bullseye", packages: ["prometheus"], binary: "usr/bin/promtool" },
  nginx: { suite: "bookworm", packages: ["nginx", "libpcre2-8-0", "libssl3", "zlib1g"], binary: "usr/sbin/nginx" },
  haproxy: {
    suite: "bookworm",
    packages: ["haproxy", "liblua5.3-0", "libopentracing-c-wrapper0", "libopentracing1", "libpcre2-8-0", "libssl3"],
    binary: "usr/sbin/haproxy",
  },
  wrk: {
    suite: "bookworm",
    packages: ["wrk", "libluajit-5.1-2", "libluajit-5.1-common", "libssl3"],
    binary: "usr/bin/wrk",
  },
  python: {
    suite: "bookworm",
    packages: [
      "python3-prometheus-client",
      "python3-decorator",
      "python3.11-minimal",
      "libpython3.11-minimal",
      "libpython3.11-stdlib",
      "libexpat1",
      "libssl3",
    ],
    binary: "usr/bin/python3.11",
    environment: { PYTHONHOME: "$root/usr", PYTHONPATH: "$root/usr/lib/python3/dist-packages" },
  },
  go: {
    suite: "bookworm",
    packages: [
      "golang-1.19-go",
      "golang-1.19-src",
      "golang-github-prometheus-client-golang-dev",
      "golang-github-prometheus-client-model-dev",
      "golang-github-prometheus-common-dev",
      "golang-github-prometheus-procfs-dev",
      "golang-github-beorn7-perks-dev",
      "golang-github-cespare-xxhash-dev",
      "golang-github-golang-protobuf-1-3-dev",
      "golang-google-protobuf-dev",
      "golang-protobuf-extensions-dev",
      "golang-golang-x-sys-dev",
    ],
    binary: "usr/lib/go-1.19/bin/go",
    environment: GO_ENVIRONMENT,
  },
  ruby: {
    suite: "bookworm",
    packages: [
      "ruby3.1",
      "libruby3.1",
      "ruby-prometheus-client-mmap",
      "ruby-rubygems",
      "libgmp10",
      "libyaml-0-2",
      "libffi8",
      "libssl3",
      "libcrypt1",
    ],
    binary: "usr/bin/ruby3.1",
    environment: {
      RUBYLIB: [
        "$root/usr/lib/ruby/vendor_ruby",
        "$root/usr/lib/$multiarch/ruby/vendor_ruby/3.1.0",
        "$root/usr/lib/ruby/3.1.0",
        "$root/usr/lib/$multiarch/ruby/3.1.0",
      ].join(":"),
    },
  },
  java: {
    suite: "bookworm",
    packages: ["openjdk-17-jdk-headless", "openjdk-17-jre-headless"],
    binary: "usr/lib/jvm/java-17-openjdk-amd64/bin/java",
    systemCommand: "java",
  },
  javac: {
    suite: "bookworm",
    packages: ["openjdk-17-jdk-headless", "openjdk-17-jre-headless"],
    binary: "usr/lib/jvm/java-17-openjdk-amd64/bin/javac",
    systemCommand: "javac",
  },
  curl: {
    suite: "bookworm",
    packages: ["curl", "libcurl4", "libnghttp2-14", "librtmp1", "libssh2-1", "libpsl5", "libbrotli1", "libldap-2.5-0"],
    binary: "usr/bin/curl",
    systemCommand: "curl",
  },
  wget: {
    suite: "bookworm",
    packages: ["wget", "libgnutls30", "libidn2-0", "libnettle8", "libhogweed6", "libpsl5", "libunistring2"],
    binary: "usr/bin/wget",
    systemCommand: "wget",
  },
  jq: {
    suite: "bookworm",
    packages: ["jq", "libjq1", "libonig5"],
    binary: "usr/bin/jq",
    systemCommand: "jq",
  },
} as const satisfies Record<string, PartRecipe>;

export type PartName = keyof typeof PART_RECIPES;

export const PART_NAMES = Object.keys(PART_RECIPES) as readonly PartName[];
