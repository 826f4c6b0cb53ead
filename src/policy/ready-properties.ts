/** Properties to begin with, where nobody has written any: shown as such, and as true or broken as they are. */
export const READY_PROPERTIES = `apiVersion: sallyport/v1
kind: Properties
metadata: { name: starter, owner: nobody yet }
properties:
  - id: S-1
    title: { en: Secrets do not leave as they are for servers that others run, zh-CN: 凭据不会原样发送到他人运营的服务器 }
    because: { en: A credential in a prompt is a leaked credential, zh-CN: 出现在提示中的凭据即已泄露 }
    never: { data: [secret] }
    unless: { operatorLaw: [SELF] }
  - id: S-2
    title: { en: A planted canary does not leave for servers that others run, zh-CN: 预置的诱饵内容不会发送到他人运营的服务器 }
    because: { en: Nothing but a leak can carry it, zh-CN: 只有泄漏才会带出它 }
    never: { data: [canary] }
    unless: { operatorLaw: [SELF] }
  - id: S-3
    title: { en: Restricted content does not leave for servers that others run, zh-CN: 受限内容不会发送到他人运营的服务器 }
    because: { en: Its label says that it stays, zh-CN: 其标签要求它留在内部 }
    never: { data: [restricted] }
    unless: { operatorLaw: [SELF] }
  - id: S-4
    title: { en: Telemetry carries none of our content, zh-CN: 遥测不携带我们的任何内容 }
    because: { en: It is outside of what was agreed on processing, zh-CN: 它不在数据处理约定之内 }
    never: { channel: [telemetry], data: [internal_code, restricted, secret, personal, canary] }
`;
