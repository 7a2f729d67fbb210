/** A delimited `io.prometheus.client.MetricFamily`: one gauge without labels (client_model's metrics.proto). */
export function protobufGauge(name: string, value: number): Uint8Array {
  const double = Buffer.alloc(9, 0x09);
  double.writeDoubleLE(value, 1);
  const metric = field(2, double);
  const isGauge = Buffer.from([0x18, 0x01]);
  const family = Buffer.concat([field(1, Buffer.from(name)), isGauge, field(4, metric)]);
  return Buffer.concat([varint(family.length), family]);
}

export const PROTOBUF_TYPE =
  "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";

/** The same to Pushgateway. */
export const PROTOBUF_SPELLINGS = [
  'application/vnd.google.protobuf ; proto="io.prometheus.client.MetricFamily"; ENCODING="delimited"',
  "Application/Vnd.Google.Protobuf;proto = io.prometheus.client.MetricFamily;encoding = delimited",
  "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding*=utf-8''%64elimited",
];

/** Claims to be a message of 34 GB, of which one byte follows. A Pushgateway dies of it. */
export const DEADLY_PROTOBUF: Uint8Array = Uint8Array.from([0xff, 0xff, 0xff, 0xff, 0x7f, 0x01]);

export const SNAPPY_STREAM_START: Uint8Array = Buffer.from("\xff\x06\x00\x00sNaPpY", "latin1");

/** Bytes in snappy's framing format (google/snappy framing_format.txt), as one chunk that is not compressed. */
export function snappyFramed(text: string): Uint8Array {
  const data = Buffer.from(text);
  const frame = Buffer.alloc(8);
  frame[0] = 0x01;
  frame.writeUIntLE(data.length + 4, 1, 3);
  frame.writeUInt32LE(maskedCrc32c(data), 4);
  return Buffer.concat([SNAPPY_STREAM_START, frame, data]);
}

/** A text body of this many bytes or a line more that a Pushgateway accepts: many series of one gauge. */
export function largeTextBody(bytes: number): Uint8Array {
  const lines = ["# TYPE large gauge\n"];
  // Long values make few series: what a Pushgateway does with a push depends on their number.
  const filler = "v".repeat(4_000);
  for (let length = 0; length < bytes; length += filler.length) lines.push(`large{n="${lines.length}${filler}"} 1\n`);
  return Buffer.from(lines.join(""));
}

/** Frames a body in chunks of these sizes in turn, and ends it. */
export function chunked(body: string | Uint8Array, sizes: readonly number[] = [65_536]): Uint8Array {
  const bytes = Buffer.from(body as Uint8Array);
  const parts: Uint8Array[] = [];
  for (let offset = 0, turn = 0; offset < bytes.length; turn++) {
    const chunk = bytes.subarray(offset, offset + (sizes[turn % sizes.length] ?? 1));
    parts.push(Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from("\r\n"));
    offset += chunk.length;
  }
  return Buffer.concat([...parts, Buffer.from("0\r\n\r\n")]);
}

/** A length-delimited field of a protobuf message. */
function field(number: number, content: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from([number * 8 + 2]), varint(content.length), content]);
}

function varint(value: number): Uint8Array {
  return value < 0x80
    ? Buffer.from([value])
    : Buffer.concat([Buffer.from([(value % 0x80) | 0x80]), varint(value >> 7)]);
}

const CRC32C_POLYNOMIAL = 0x82f63b78;
const SNAPPY_MASK = 0xa282ead8;

/** The checksum of snappy's framing format. */
export function maskedCrc32c(data: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of data) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ CRC32C_POLYNOMIAL : crc >>> 1;
  }
  crc = ~crc;
  return (((crc >>> 15) | (crc << 17)) + SNAPPY_MASK) >>> 0;
}
