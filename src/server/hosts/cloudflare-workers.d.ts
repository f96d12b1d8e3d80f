/**
 * What this package uses of Cloudflare's runtime, and no more: its full types cannot be loaded beside those of a
 * browser. In an app, what is imported from here has the app's own types.
 */
declare module 'cloudflare:workers' {
  export abstract class DurableObject<Env> {
    protected ctx: unknown;
    protected env: Env;
    constructor(ctx: unknown, env: Env);
  }
}

declare const WebSocketPair: new () => {
  readonly 0: WebSocket;
  readonly 1: {
    readonly readyState: number;
    accept(): void;
    send(message: string | ArrayBuffer | ArrayBufferView): void;
    close(code?: number, reason?: string): void;
    serializeAttachment(attachment: unknown): void;
    deserializeAttachment(): unknown;
  };
};

declare const WebSocketRequestResponsePair: new (request: string, response: string) => object;
