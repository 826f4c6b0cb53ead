/**
 * The profiles that Sallyport brings along, as the YAML that people read and copy. Kept as text in the program, so that
 * they are there from source and from the bundle alike, without reading a file.
 *
 * Hosts come from the register of destinations (register/destinations.yaml) and from measurements of the agents'
 * traffic in a loopback-only namespace, 2026-11-20.
 */

const head = (name: string, title: string, chinese: string): string => `apiVersion: sallyport/v1
kind: Profile
metadata:
  name: ${name}
  title: { en: "${title}", zh-CN: ${chinese} }
  version: 1
  owner: whoever chose the profile ${name} # in a copy of your own, put a name here
  review: 2027-05-31
`;

const HOME_TOOLCHAINS = [
  "~/.nvm",
  "~/.volta",
  "~/.asdf",
  "~/.local/bin",
  "~/.local/share/mise",
  "~/.local/share/uv",
  "~/.local/share/pnpm",
  "~/.pyenv",
  "~/.rustup",
  "~/.cargo/bin",
  "~/.sdkman/candidates",
  "~/.bun/bin",
  "~/.deno/bin",
  "~/go/bin",
];
const SECRET_FILES = [
  ".env",
  ".env.local",
  ".env.*.local",
  ".env.dev",
  ".env.development",
  ".env.stage",
  ".env.staging",
  ".env.prod",
  ".env.production",
  ".envrc",
  ".netrc",
  ".pypirc",
  ".git-credentials",
  ".vault-token",
  '"*.tfstate"',
  '"*.tfstate.backup"',
  '"*.kdbx"',
];
const TERMINAL = "TERM, COLORTERM, NO_COLOR, FORCE_COLOR, COLUMNS, LINES, EDITOR, VISUAL, ";

const list = (items: readonly string[]): string =>
  items.length === 0 ? " []" : items.map((item) => `\n    - ${item}`).join("");

const access = (folders: readonly string[], hidden: readonly string[], terminal: string): string => `
files:
  # Toolchains. Read-only; what does not exist is passed over.
  read:${list([...folders, "/opt"])}
  write: []
  # Files of the workspace that hold secrets by custom. Templates such as .env.example stay visible.
  hide:${list(hidden)}

environment:
  # Nothing that holds a credential: keys reach an agent only by the variables its own adapter names.
  pass: [LANG, LANGUAGE, "LC_*", ${terminal}CI]
`;
const usualAccess = access(HOME_TOOLCHAINS, SECRET_FILES, TERMINAL);

const modelHosts = `    - id: models
      title: { en: The six agents may reach their vendors' model servers, zh-CN: 六种代理可访问各自厂商的模型服务器 }
      because: { en: This is what the agents are for, zh-CN: 这正是使用代理的目的 }
      hosts:
        - api.anthropic.com
        - api.openai.com
        - eu.api.openai.com
        - us.api.openai.com
        - chatgpt.com # Codex with a ChatGPT subscription
        - generativelanguage.googleapis.com
        - cloudcode-pa.googleapis.com # Gemini CLI signed in with Google
        - dashscope.aliyuncs.com
        - dashscope-intl.aliyuncs.com
        - dashscope-us.aliyuncs.com
        - cn-hongkong.dashscope.aliyuncs.com
        - coding.dashscope.aliyuncs.com
        - coding-intl.dashscope.aliyuncs.com
        - portal.qwen.ai # Qwen Code signed in with Qwen
        - api.mistral.ai
        - api.eu.mistral.ai
        - api.githubcopilot.com
        - "*.business.githubcopilot.com"
        - "*.enterprise.githubcopilot.com"
        - "*.individual.githubcopilot.com"
        - copilot-proxy.githubusercontent.com
      match: [api.anthropic.com:443, proxy.business.githubcopilot.com:443]
      not_match: [api.anthropic.com:80, githubcopilot.com:443]
`;

const models = `${modelHosts}    - id: sign-in
      title: { en: The agents may sign in, zh-CN: 代理可以登录 }
      because: { en: Subscriptions and device sign-in need these servers; tokens stay in the agent's private home, zh-CN: 订阅与设备登录需要这些服务器；令牌留在代理的私有主目录中 }
      hosts:
        - platform.claude.com
        - console.anthropic.com
        - claude.ai
        - auth.openai.com
        - accounts.google.com
        - oauth2.googleapis.com
        - chat.qwen.ai
        - github.com
        - api.github.com
`;

const packages = `    - id: packages
      title: { en: Package registries may be read, zh-CN: 可读取软件包仓库 }
      because: { en: "Builds and tests install packages; no registry credential is in the sandbox, so nothing can be published", zh-CN: 构建与测试需要安装软件包；沙箱中没有仓库凭据，因此无法发布 }
      hosts:
        - "*.npmjs.org"
        - "*.yarnpkg.com"
        - nodejs.org
        - pypi.org
        - files.pythonhosted.org
        - crates.io
        - index.crates.io
        - static.crates.io
        - static.rust-lang.org
        - proxy.golang.org
        - sum.golang.org
        - go.dev
        - dl.google.com
        - repo.maven.apache.org
        - repo1.maven.org
        - plugins.gradle.org
        - services.gradle.org
        - rubygems.org
        - index.rubygems.org
        - api.nuget.org
    - id: system-packages
      title: { en: Debian and Ubuntu packages may be read, zh-CN: 可读取 Debian 与 Ubuntu 软件包 }
      because: { en: "Their indexes are signed, also where they travel without TLS", zh-CN: 其索引带有签名，不经 TLS 传输亦然 }
      hosts: ["*.debian.org", "*.ubuntu.com"]
      ports: [80, 443]
    - id: git-hosts
      title: { en: Public git hosts may be reached over HTTPS, zh-CN: 可经 HTTPS 访问公共 Git 托管站点 }
      because: { en: "Repositories are fetched from them; pushing needs a credential, which the sandbox does not hold", zh-CN: 从这些站点获取代码仓库；推送需要凭据，而沙箱中没有凭据 }
      hosts:
        - codeload.github.com
        - raw.githubusercontent.com
        - objects.githubusercontent.com
        - release-assets.githubusercontent.com
        - gitlab.com
        - bitbucket.org
        - codeberg.org
`;

const noTelemetry = `  deny:
    - id: no-telemetry
      title: { en: Usage and crash reports do not leave, zh-CN: 使用情况与崩溃报告不得外发 }
      because: { en: "The agents work without them, and no contract covers what they hold", zh-CN: 代理无需上报即可工作，且其内容不受任何合同约束 }
      hosts:
        - statsig.anthropic.com
        - http-intake.logs.us5.datadoghq.com
        - browser-intake-us5-datadoghq.com
        - "*.ingest.sentry.io"
        - "*.ingest.us.sentry.io"
        - "*.ingest.de.sentry.io"
        - ab.chatgpt.com
        - play.googleapis.com
        - "*.rum.aliyuncs.com"
        - copilot-telemetry.githubusercontent.com
        - collector.github.com
        - default.exp-tas.com
      match: [gb4w8c3ygj-default-sea.rum.aliyuncs.com:443]
    - id: no-self-update
      title: { en: Agents do not replace themselves, zh-CN: 代理不得自行更新 }
      because: { en: A build is checked before it runs; one that arrives during a session was not, zh-CN: 构建版本须先检查后运行；会话中途到达的版本未经检查 }
      hosts: [downloads.claude.ai, persistent.oaistatic.com]
    - id: no-metadata-service
      title: { en: The cloud's metadata service is out of reach, zh-CN: 禁止访问云元数据服务 }
      because: { en: It hands the machine's credentials to whoever asks, zh-CN: 该服务会把本机凭据交给任何请求者 }
      hosts: [169.254.169.254, "fd00:ec2::254", 100.100.100.200, metadata.google.internal]
`;

const noTelemetryContent = `    - id: telemetry-channel
      title: { en: Telemetry does not leave by an allowed host either, zh-CN: 遥测数据也不得经由允许的主机外发 }
      because: { en: Model servers take usage reports on other paths of the same host, zh-CN: 模型服务器在同一主机的其他路径上接收使用报告 }
      when: { channel: [telemetry] }
      then: deny
      match: [{ channel: telemetry, host: api.anthropic.com }]
      not_match: [{ channel: llm }]
`;

const secretsMasked = `    - id: secrets-masked
      title: { en: Secrets are masked before anything is sent, zh-CN: 发送前先遮盖机密凭据 }
      because: { en: A credential in a prompt is a leaked credential, zh-CN: 提示词中的凭据即已泄露的凭据 }
      when: { data: [secret] }
      unless: { operatorLaw: [SELF] }
      then: redact
`;

const restrictedStays = `    - id: restricted-stays
      title: { en: What somebody labelled restricted and canaries do not leave, zh-CN: 标为受限的内容与诱饵串不得外发 }
      because: { en: A label is put on what must not leave; a canary stands nowhere but where it was planted, zh-CN: 标签用于不得外发的内容；诱饵串只存在于其埋设之处 }
      when: { data: [restricted, canary] }
      unless: { operatorLaw: [SELF] }
      then: deny
`;

const volume = (then: "ask" | "deny"): string => `    - id: volume-noticed
      title: { en: More than usual to one place stops and asks, zh-CN: 向同一处外发超常量内容时停下询问 }
      because: { en: A value can leave a few characters at a time; a model is sent the workspace and anybody else little, zh-CN: 机密可分多次少量外泄；除模型外，其他去处通常只收到少量内容 }
      when: { data: [volume], channel: [package, mcp, update, other, unknown] }
      unless: { operatorLaw: [SELF] }
      then: ${then}
`;

const DEFAULT = `${head("default", "One person at one machine", "单人单机")}
sandbox: { mode: bubblewrap, nested: false }
${usualAccess}
network:
  default: deny
  allow:
${models}${packages}${noTelemetry}
send:
  default: allow # the network list above says who may be sent to; these rules say what may not
  rules:
${noTelemetryContent}${restrictedStays}${volume("ask")}${secretsMasked}`;

const OBSERVE = `${head("observe", "Records everything that leaves and refuses nothing public", "记录一切外发内容，不拒绝任何公共目的地")}
sandbox: { mode: bubblewrap, nested: true }
${access(HOME_TOOLCHAINS, [], TERMINAL)}
repository: { settings: use } # hooks and servers that a repository brings run as they would without Sallyport
network:
  default: allow # every public host; private addresses still need a rule that names them
send:
  default: allow
`;

const UNSANDBOXED = `${head("dangerously-unsandboxed", "The operating system's sandbox is off", "操作系统沙箱已关闭")}
# The agent runs as you: it reads and writes what you can, and may go round the gateway. What does pass the gateway is
# judged and recorded as under \`default\`; what goes round it is not seen.
sandbox: { mode: none }
${usualAccess}
network:
  default: deny
  allow:
${models}${packages}${noTelemetry}
send:
  default: allow
  rules:
${noTelemetryContent}${restrictedStays}${volume("ask")}${secretsMasked}`;

/** On one machine there is nobody else; an organisation's guardrails say `self: deny`, and then somebody else answers. */
const ownApproval = `approvals: { self: allow, seconds: 240 } # the person themselves may say yes; the agent cannot
`;

const engineerRules = `    - id: everyday-code
      title: { en: Everyday code may go to models under contract, zh-CN: 日常代码可发送给已签约的模型 }
      because: { en: This is the job, zh-CN: 这是工作所需 }
      when: { channel: [llm, mcp], data: [public, internal_code, unread, not_understood, injection, concealed], dpa: [signed], trains: ["no", opt_in] }
      then: allow
      not_match: [{ channel: llm, data: internal_code }]
    - id: public-text
      title: { en: Text with nothing to protect may go to any model server we know, zh-CN: 无需保护的文本可发送给任何已登记的模型服务器 }
      because: { en: There is nothing in it to protect, zh-CN: 其中没有需要保护的内容 }
      when: { channel: [llm], data: [public, not_understood, injection, concealed] }
      then: allow
    - id: own-servers
      title: { en: Classified and personal data may go to our own servers, zh-CN: 涉密及个人数据可发送到自有服务器 }
      because: { en: It does not leave, zh-CN: 数据没有外流 }
      when: { channel: [llm], data: [classified, confidential, internal_code, personal, unread, not_understood, injection, concealed], operatorLaw: [SELF] }
      then: allow
${secretsMasked}    - id: personal-masked
      title: { en: Personal data is masked before anything is sent, zh-CN: 发送前先遮盖个人数据 }
      because: { en: "Data minimisation, GDPR Art. 5(1)(c)", zh-CN: 数据最小化（GDPR 第 5 条第 1 款 c 项） }
      when: { channel: [llm, mcp], data: [personal] }
      unless: { operatorLaw: [SELF] }
      then: redact
    - id: secrets-on-own-servers
      title: { en: Secrets on our own servers need a person's yes, zh-CN: 机密凭据发往自有服务器须人工批准 }
      because: { en: A person decides when a credential is the subject of the work, zh-CN: 当凭据本身是工作对象时由人决定 }
      when: { channel: [llm], data: [secret], operatorLaw: [SELF] }
      then: ask
      waivable: true
    - id: housekeeping
      title: { en: "Sign-in, packages and repositories without protected content", zh-CN: 不含受保护内容的登录、软件包与代码仓库访问 }
      because: { en: Work needs them, zh-CN: 工作所需 }
      when: { channel: [auth, package, scm, update, other, unknown], data: [public, internal_code, injection, concealed] }
      then: allow
`;

const ENGINEER = `${head("engineer", "An engineer in an organisation that keeps a register of destinations", "已建立目的地登记册的组织中的工程师")}
sandbox: { mode: bubblewrap, nested: false }
${usualAccess}
${ownApproval}
network:
  default: deny
  allow:
${models}${packages}${noTelemetry}
send:
  default: deny
  rules:
${engineerRules}`;

const RESTRICTED = `${head("restricted", "Our own models only", "仅限自有模型")}
# One setting makes it usable: sallyport models set own-model --url URL [--model NAME]
sandbox: { mode: bubblewrap, nested: false }
${usualAccess}
${ownApproval}
network:
  default: deny
  allow:
    # Agents ask for their vendors' servers by name. Nothing goes there: the rules below send it to our own model.
${modelHosts}    # Put the names of your own mirrors here; .internal is the reserved name for private networks.
    - id: own-network
      title: { en: Servers in our own network may be reached, zh-CN: 可访问自有网络内的服务器 }
      because: { en: What they receive does not leave, zh-CN: 发往这些服务器的内容不会外流 }
      hosts: ["*.corp.internal"]
      private: true
      match: [llm.corp.internal:443]
      not_match: [api.anthropic.com:443]
${noTelemetry}
send:
  default: deny
  rules:
    - id: own-model
      title: { en: What is meant for a vendor's model goes to our own, zh-CN: 发往厂商模型的内容改发到自有模型 }
      because: { en: "Same agent, same prompt, our own servers", zh-CN: 代理与提示词不变，使用自有服务器 }
      when: { channel: [llm] }
      unless: { operatorLaw: [SELF] }
      then: reroute
      rerouteTo: [own-model]
      match: [{ channel: llm, operatorLaw: US, data: classified }]
      not_match: [{ channel: llm, operatorLaw: SELF }, { channel: telemetry, operatorLaw: US }]
    - id: own-servers
      title: { en: Everything but secrets may go to our own servers, zh-CN: 除机密凭据外均可发往自有服务器 }
      because: { en: It does not leave, zh-CN: 数据没有外流 }
      when: { operatorLaw: [SELF], data: [public, internal_code, classified, confidential, personal, unread, not_understood, injection, concealed] }
      then: allow
      match: [{ operatorLaw: SELF, data: classified }]
      not_match: [{ data: classified }]
    - id: secrets-on-own-servers
      title: { en: Secrets on our own servers need a person's yes, zh-CN: 机密凭据发往自有服务器须人工批准 }
      because: { en: A person decides when a credential is the subject of the work, zh-CN: 当凭据本身是工作对象时由人决定 }
      when: { operatorLaw: [SELF], data: [secret] }
      then: ask
      waivable: true
`;

const CONTRACTOR = `${head("contractor", "People from outside, on code that is not secret", "外部人员，处理非涉密代码")}
sandbox: { mode: bubblewrap, nested: false }
admission: { builds: approved, extensions: approved } # see \`sallyport register\`
${usualAccess}
network:
  default: deny
  allow:
${models}${packages}${noTelemetry}
send:
  default: deny
  rules:
    - id: approved-builds
      title: { en: Only approved builds send anything, zh-CN: 只有已批准的构建版本可以发送 }
      because: { en: An unknown build on a foreign machine is a stranger, zh-CN: 外部机器上的未知构建版本不可信 }
      when: { build: [unapproved, unknown] }
      then: deny
      match: [{ build: unknown }]
      not_match: [{ build: approved }]
    - id: contracted-models
      title: { en: Code may go to models under contract, zh-CN: 代码可发送给已签约的模型 }
      because: { en: The contract forbids training on it, zh-CN: 合同禁止将其用于训练 }
      when: { channel: [llm], data: [public, internal_code, not_understood, injection, concealed], dpa: [signed], trains: ["no"] }
      then: allow
    - id: secrets-stay
      title: { en: Secrets and personal data do not leave, zh-CN: 机密凭据与个人数据不得外发 }
      because: { en: The contract does not cover them, zh-CN: 合同未涵盖这些数据 }
      when: { data: [secret, personal, classified, confidential] }
      then: deny
    - id: housekeeping
      title: { en: "Sign-in, packages and repositories without protected content", zh-CN: 不含受保护内容的登录、软件包与代码仓库访问 }
      because: { en: Work needs them, zh-CN: 工作所需 }
      when: { channel: [auth, package, scm], data: [public, injection, concealed] }
      then: allow
`;

const CI = `${head("ci", "Unattended runs", "无人值守运行")}
# Nobody is there to answer: nothing in this profile asks.
sandbox: { mode: bubblewrap, nested: false }
${access([], SECRET_FILES, "")}
network:
  default: deny
  allow:
${models}${packages}${noTelemetry}
send:
  default: allow
  rules:
${noTelemetryContent}${restrictedStays}${volume("deny")}${secretsMasked}    - id: unapproved-builds
      title: { en: Builds that were refused do not run unattended, zh-CN: 未获批准的构建版本不得无人值守运行 }
      because: { en: Nobody would notice, zh-CN: 无人能够察觉 }
      when: { build: [unapproved] }
      then: deny
`;

const READY: ReadonlyMap<string, string> = new Map([
  ["default", DEFAULT],
  ["observe", OBSERVE],
  ["engineer", ENGINEER],
  ["restricted", RESTRICTED],
  ["contractor", CONTRACTOR],
  ["ci", CI],
  ["dangerously-unsandboxed", UNSANDBOXED],
]);

export const READY_PROFILES: readonly string[] = [...READY.keys()];

/** The YAML text of a profile that Sallyport brings along; null when none has that name. */
export function readyProfile(name: string): string | null {
  return READY.get(name) ?? null;
}
