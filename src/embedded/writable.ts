/** The same object for the one who may change it. To all others, what the store holds is to be read. */
export type Writable<Stored> = { -readonly [Field in keyof Stored]: Stored[Field] };
