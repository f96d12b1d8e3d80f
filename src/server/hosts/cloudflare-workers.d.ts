/**
 * The part of Cloudflare's runtime that this package uses: its full types conflict with those of a browser. In an app, the
 * app's own types of this module apply.
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
