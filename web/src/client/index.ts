/** `@colloquy/client`: everything a program needs to hold a conversation. */
export { Api, ApiError, type Conversation, type Session, type StartRequest } from "./api";
export { apply, placeOf } from "./apply";
export { ColloquyClient } from "./client";
export type { Status } from "./connection";
export { type Environment, MemoryStorage, platform, type StorageLike } from "./environment";
export type { OutboxEntry } from "./outbox";
export type * from "./protocol";
export { Remembered } from "./remembered";
export { fromSnapshot, withOlder } from "./snapshot";
export type { ClientOptions, KnownSession, View } from "./view";
export { activeRun, type Chat, EMPTY, hasEnded, type Message, type Run, type Team } from "./state";
