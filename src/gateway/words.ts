/** What the gateway says to people, in the session's language. */
import type { FaultCode } from "../core/index.ts";
import type { study } from "../policy/index.ts";

export const phrase = (language: study.Language, english: string, chinese: string): string =>
  language === "en" ? english : chinese;

/** Faults that an agent may be shown: what happened, and what to do. The English words are the fault table's own. */
export const CHINESE: Partial<Readonly<Record<FaultCode, readonly [summary: string, remedy: string]>>> = {
  "gateway.reply-refused": [
    "回复内容试图向代理的模型下达指令，策略不允许其到达模型",
    "用 `sallyport show` 查看该回复；误报可按其哈希豁免",
  ],
  "gateway.malformed": ["请求格式有误", "修正发送它的程序"],
  "gateway.too-large": ["请求超过大小限制", "减少一次发送的内容"],
  "gateway.unreadable": [
    "无法读取请求正文，不能检查",
    "不要使用 content-encoding，或使用 gzip、br、zstd、deflate",
  ],
  "gateway.unredacted": [
    "策略要求遮盖的内容所在位置无法遮盖，因此未发送任何内容",
    "不要让代理发送该内容，或联系所列规则的负责人",
  ],
  "gateway.unroutable": [
    "策略要求改发到自有服务器，但无法做到，因此未发送任何内容",
    "查看规则的 `rerouteTo`，并用 `sallyport models` 查看已设置的服务器",
  ],
  "gateway.unrecorded": [
    "无法持久记录该请求，因此未发送任何内容",
    "运行 `sallyport doctor`：检查账本所在磁盘的空间与状况",
  ],
  "gateway.busy": ["网关同时处理的工作已达上限", "稍后重试"],
  "gateway.unresolved": ["无法解析目的地的域名", "检查域名及本机的域名服务"],
  "gateway.address-refused": ["目的地的地址不允许连接", "私有地址需要有规则为该主机放行"],
  "gateway.unreachable": ["无法连接目的地", "检查本机到目的地的网络"],
  "gateway.tls": ["目的地的证书不受信任", "如贵组织有自己的根证书，请加入网关的根证书"],
  "gateway.sentinel": [
    "凭据的替身被发往不属于它的地方",
    "查明是谁发送的：代理、工具或代码仓库可能在试图带走凭据",
  ],
  "gateway.handshake": [
    "代理未与网关完成 TLS 握手",
    "程序须信任会话证书：参见 `sallyport run --explain` 中的证书变量",
  ],
  "gateway.broken": ["目的地中断了连接", "重试"],
  "gateway.bad-reply": ["目的地的回复格式有误", "重试；如仍出现，请告知目的地的运营方"],
  "gateway.timeout": ["目的地未及时回复", "重试"],
  "gateway.aborted": ["代理在回复完成前离开", "无需处理"],
  "inspect.unreadable": [
    "含有检出内容的正文不是可编辑的文档",
    "未发送任何内容；允许该类别发往此目的地，或不要在请求中包含它",
  ],
  "inspect.full": ["本会话遮盖的值已超过可保存的数量", "未发送任何内容；请开始新会话"],
  "inspect.failed": ["无法检查该请求", "未发送任何内容；如再次出现，请连同检测器名称一并报告"],
};
