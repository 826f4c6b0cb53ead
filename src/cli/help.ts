/** Help texts: what each command is for, its flags, an example. */

export const HELP = `sallyport: run AI coding agents inside a sandbox whose only way out is recorded

  sallyport run claude            start an agent in this folder's project
  sallyport demo                  see the whole thing with a scripted model: no key needed

run
  run [flags] <agent> [args…]     claude, codex, opencode, qwen, gemini, copilot, or any program
  vet <agent>[@version]|<path>    what a build does differently in different surroundings
  install <agent>[@version]       fetch an agent from npm, at the tested version
  shim <action>                   let editors and shells start agents through Sallyport: install, remove, list
  profiles [name]                 list the profiles, or print one
  doctor                          what this machine can enforce

look
  log                             sessions, newest last
  show <session>                  what left in a session
  disclosures                     which lines of which files left, to whom; the share of the repository
  query <filter>                  entries that fit, or totals with --by
  undo <session>                  put back what a session changed in its workspace
  review [session]                what a session wrote that is not in the workspace yet
  console                         all of it in a browser: prints a link that signs you in
  verify                          check the whole ledger against its signed checkpoint

decide
  register <action>               what may start, and who runs the servers: list, approve, revoke, add
  provenance <agent>              where a build came from, and what nobody could check
  template <agent>                take a build's own words, to notice when they change
  policy <action>                 check, test, explain, diff, replay, prove, export, compile, reload
  scan <path…|->                  find secrets and personal data in files or a diff
  why <detector|hash|exchange>    what a detector looks for; why one finding counts, and what to do about it
  classify <folder>               fingerprints of classified code, for a policy to name

manage
  up, down, status                the station (it starts by itself)
  export                          the record for other systems: NDJSON, OCSF, OTLP, syslog, HEC; once or live
  ledger <action>                 backup, restore, compact, receipt, erase, hold, release, rotate-key, retire-key, wrap-with, rewrap
  setup                           install what this machine lacks

Each command has --help; most have --json. Exit codes: 2 usage, 3 a control is missing, 5 ledger,
6 agent or sandbox, 7 verification found something; \`run\` gives the agent's own.`;

const COMMANDS: Readonly<Record<string, string>> = {
  console: `sallyport console [flags]
sallyport console links
sallyport console revoke ID|all
sallyport console stop

Starts the console on loopback, unless it runs, and prints a link that signs one person in, once, within five minutes.
\`links\` tells who is signed in and which links wait; \`revoke\` ends one of them. The console ends with the station.

      --port N              listen there (default: 7400, or the next that is free)
      --role ROLE           what the link lets its bearer do; again for more (default: all)
                              viewer           totals, sessions, entries; nothing of what was sent
                              approver         answer questions that wait for a person
                              policy-author    try and save policies
                              evidence-reader  exact bytes, with values masked, for a reason that is recorded
                              unmasker         with evidence-reader: one masked value at a time, recorded too
                              auditor          exports, who looked at what, the log for checking
                              admin            approve and revoke builds, destinations, links
      --name NAME           whom the link is for: what the ledger says they did as (local:UID/NAME)
      --no-open             only print the link
      --json                on one line: origin, url, expiresAt, roles

  sallyport console
  sallyport console --role viewer --name ada`,
  run: `sallyport run [flags] <agent> [args…]

Starts the agent in a sandbox: this project read-write, the rest of the machine hidden or read-only, no network but
the gateway. What follows the agent's name goes to the agent unchanged. At the end a declaration says what left.

  -p, --profile NAME|FILE   which profile (see \`sallyport profiles\`)
      --upstream ORIGIN     a server that stands in for every model destination, e.g. a model of your own
                            (http://127.0.0.1:8080)
      --door tls|base       how the agent reaches the gateway: transparently (default), or by its base-URL setting
      --review              hold every change to the workspace back until you have looked at it
      --no-undo             take no snapshots of the workspace: the session cannot be undone
      --explain             print the plan (sandbox, environment, policy) and start nothing; --json: all of it
      --for macos           with --explain: the profile that the wall would have there (made, and never run)
      --json                print the declaration as one line of JSON on stdout, after the agent's own output
  -q, --quiet               print no declaration

  sallyport run claude
  sallyport run codex exec "explain this repository"
  sallyport run --profile observe -- npm test`,
  demo: `sallyport demo [--agent NAME] [--json]

Sets up what is missing, starts a scripted model on loopback, and runs a real agent through \`sallyport run\` in a
fresh sample project. No key is needed and nothing leaves the machine.

      --agent NAME          claude (default), codex, opencode, qwen, gemini, copilot
      --json                the declaration as JSON`,
  install: `sallyport install <agent>[@version] …

Fetches the agent's npm package into Sallyport's own folder, without running its install scripts. Without a version,
the one that Sallyport's tests run.`,
  shim: `sallyport shim install [agent…] [--profile NAME|FILE]
sallyport shim remove [agent…]
sallyport shim list [--json]

Writes a script for each agent (default: those that are on PATH) into a folder that is to be first on PATH. What starts
the agent by its name, such as an editor's extension, then starts it inside the sandbox: same arguments, input, output and
exit code, signals passed on. On a terminal the declaration is printed at the end, elsewhere nothing of ours. An extension
that starts an agent of its own by an absolute path has a setting for that path: give it the script.`,
  profiles: `sallyport profiles [name]

Lists the ready profiles and those in the config folder, or prints one as YAML to start your own from.`,
  doctor: `sallyport doctor [--json]

Tries each control on this machine and says which are enforced, degraded or missing, and how to get them. Exits with 3
when a control that the default profile promises is missing.`,
  log: `sallyport log [--events] [-n COUNT] [--json]

Sessions in the ledger, oldest first. --events lists every event instead. -n: only the last COUNT.`,
  show: `sallyport show <session> [--events] [--json]
sallyport show <session> --evidence ID --reason TEXT

The declaration of a session. --events lists its events. --evidence writes the sealed bytes of one evidence id (as
--events prints them) to stdout; viewing is itself recorded with the reason.`,
  disclosures: `sallyport disclosures [--repo NAME] [--session ID] [--json]

Which lines of which files of a workspace left, to whom and when, and what share of the workspace could be put together
again from it. Requests are compared with the files while a session runs; what was not compared is told.

      --repo NAME           one workspace, by the name of its folder
      --session ID          one session

A file counts with the version of which most has left. What a request holds of less than 80 letters and digits in a row
is told only of files that the agent named; what stands in more than eight files, only beside what does not.

  sallyport disclosures --repo webshop --json`,
  verify: `sallyport verify [--ledger FOLDER] [--key VKEY] [--policy FILE] [--anchor-roots PEM] [--json]

Recomputes every leaf, tile and root, checks the checkpoint's signature, and names what does not fit. Exits with 7 when
something does not. --key: the verifier key you trust; without it, the one published with the ledger. --policy: whose
cosignatures it must bear (c2sp.org/tlog-policy); without it, the config folder's \`witness.policy\`, where there is one. --anchor-roots: whom to believe the time of its stamps (RFC 3161); without it,
what the config folder's \`anchor.yaml\` names.`,
  query: `sallyport query [filter] [-n COUNT] [--json]
sallyport query --by DIMENSION[,DIMENSION] [--since DATE] [--json]

Entries that fit the filter, newest first; or totals of judged requests by day, principal, agent, class, destination,
verdict. The index is made from the ledger and made again when it is gone.

  sallyport query 'verdict=deny host~statsig at>=2026-11-01'
  sallyport query --by class,destination`,
  export: `sallyport export [--format FORMAT] [--from N | --cursor FILE] [--follow] [--to URL] [--unsigned]

Writes entries under a checkpoint for other systems. No content is in them. Formats: ndjson (default), ocsf, otlp (logs),
otlp-spans (exchanges with models as GenAI spans), syslog, hec.

      --from N              begin with entry N; without --cursor, stderr says where to go on
      --cursor FILE         begin where FILE says, and keep it: it moves after the receiver took what came before, so
                            delivery is at least once; receivers drop repetitions by each entry's id
  -f, --follow              go on with what is recorded later, until stopped
      --to URL              POST each batch there instead of writing to stdout; tried again while it fails
      --header-file FILE    headers for --to, \`Name: value\` a line (a token does not belong in a command line)
      --unsigned            also entries that no checkpoint covers yet

  sallyport export --format otlp-spans --follow --cursor spans.cursor --to http://127.0.0.1:4318/v1/traces`,
  template: `sallyport template AGENT[@VERSION]

Lets the build do two small tasks with a scripted model, in a state folder of its own, and keeps the lines that it sends
by itself: system prompt, tools, what it puts round your text. From then on each session of exactly these bytes is
compared: a line that is the template's but for look-alike or invisible characters is a finding of the class
altered_template, which a policy can name; lines of the system prompt that nothing accounts for are counted.
It is the vendor's text: it stays in <config>/register/templates.`,
  provenance: `sallyport provenance AGENT[@VERSION] [--sbom FILE] [--manifest FILE|URL] [--key FILE]
                                        [--strict] [--json]
sallyport provenance PACKAGE                whether a package only looks like a known agent's
sallyport provenance --command "npm i -g …" the same of what an install command names

Registry hash, npm's signature, sigstore attestations, age, who published it, the vendor's signed manifest, install
scripts. Keys of npm and of sigstore are shipped, so a mirror cannot vouch for itself. What could not be checked (a mirror
strips signatures; no network) is said to be not checked. --manifest takes the vendor's manifest from a file or an address,
with its signature beside it (.sig); --key the vendor's key as gpg exports it, else <config>/register/keys/AGENT.gpg.
--sbom writes the build's parts as CycloneDX 1.6. Exit 7: something is not what it claims to be; --strict: or could not be checked.`,
  register: `sallyport register list [builds|extensions|destinations|approvers]
sallyport register show NAME                a build (claude@2.1.329), a path in a repository, or a destination's id
sallyport register approve AGENT[@VERSION] --reason TEXT [--expires 90d] [--report FILE]
sallyport register approve --extension PATH --reason TEXT    a hook, server, skill or settings file of this repository
sallyport register revoke NAME --reason TEXT
sallyport register add FILE                 rows of your own, in the form of register/destinations.yaml
sallyport register key                      your public key, for the list of approvers
sallyport register verify                   whether the register is as the ledger says it was left

Which builds start. An approval names the exact bytes of the whole package, signed with your key (--report: a vetting
report that it rests on). A build that was revoked, whose approval ended, or whose bytes differ from the approved ones
does not start; one that nobody spoke about starts where the profile permits it (admission: { builds: any }).

How many must agree: <config>/register/approvers.yaml, or /etc/sallyport/register/approvers.yaml, which goes first:
  version: 1
  required: 2
  approvers:
    - { name: alice@corp.example, key: "<what \`register key\` printed>" }
    - { name: bob@corp.example, key: "…" }
Statements are files in <config>/register/statements: share the folder, or keep it in git.`,
  review: `sallyport review [session] [--diff | --take | --take-all | --discard] [PATH…] [--force] [--json]

Without a session: the sessions with something to decide about. With one: what it changed (\`run --review\`), which programs
wrote it, and what was set aside because tools on this machine would obey it; on a terminal you are asked about each.
Nothing is lost when you leave, or when client or station die.

      --diff                show the changes line by line
      --take PATH…          bring these into the workspace
      --take-all            bring in all but what this machine would obey and what changed here meanwhile
      --discard [PATH…]     forget these, or all that is left
      --force               also over what changed here after the session began

Exit code 6: something that was asked for could not be done.

  sallyport run --review claude
  sallyport review 1f00ba42 --diff src/
  sallyport review 1f00ba42 --take src/ README.md
  sallyport review 1f00ba42 --take .envrc        what was set aside, after you have read it`,
  undo: `sallyport undo <session> [--list] [--dry-run] [PATH…] [--json]

Puts back what a session changed in its workspace, git-ignored and untracked files included: changed and removed files
come back, new ones go. What somebody changed after the session is left alone, and so is what was not kept; both are
listed. The last thirty sessions of a workspace can be undone. Exits with 6 when something was left that should go back.

      --list                what the session changed, and by which command; changes nothing
      --dry-run             what would be done; changes nothing
      --all                 also what no program of the session was seen to change while it ran
      --force               also what was changed after the session, and when the session's end was not seen
      --redo                undo the last undo of this session

  sallyport undo 1f00ba42 --dry-run
  sallyport undo 1f00ba42 src/`,
  ledger: `sallyport ledger backup FOLDER              a verified copy, also while a station runs
sallyport ledger restore FOLDER             into an empty state folder
sallyport ledger compact                    gives back the room of erased evidence and of entries held twice
sallyport ledger receipt N                  an entry with its proof (c2sp.org/tlog-proof), for offline verification
sallyport ledger erase SESSION --reason TEXT    destroys the key of a session's evidence
sallyport ledger hold [SESSION…] --name CASE    forbids erasing (no session: all)
sallyport ledger release --name CASE
sallyport ledger wrap-with -- COMMAND…      from now on this command wraps session keys (docs/ledger-format.md)
sallyport ledger rewrap                     from now on a new key in organisation.keys does
sallyport ledger rotate-key, retire-key     a new signing key; both sign until the old one is retired`,
  policy: `sallyport policy check [files…]            parse, layer, and tell what should have been reviewed
sallyport policy test [files…] [--table FILE]   the documents' examples, and a table of what people expect
sallyport policy explain "may an engineer's claude send internal code to api.mistral.ai?"
sallyport policy explain --to HOST [--agent NAME] [--data CLASS] [--model M] [--build B] [--repo R]
sallyport policy diff BEFORE AFTER           what a change changes, in sentences; exits with 4 when it loosens
sallyport policy replay [files…]             run a policy over the recorded ledger and list what would change
sallyport policy prove [files…] --properties FILE
sallyport policy export --cedar [files…]
sallyport policy compile --agent NAME[@version] [--out FOLDER]   the agent's own settings, for a fleet tool
sallyport policy compile --gaps [--agent NAME]   what the agent cannot hold to itself, and who does
sallyport policy reload                      take up changed documents in running sessions now

Documents are files, or names of profiles. Without any: what is in force here (guardrails, --profile, .sallyport.yaml).
--lang en|zh-CN chooses the language of sentences, --json gives data. The form of documents: docs/policy.md.`,
  approvals: `sallyport approvals [list] [--json]
sallyport approvals show ID
sallyport approvals approve ID [--scope once|session | --for TIME] [--reason TEXT]
sallyport approvals deny ID [--scope once|session] [--reason TEXT]
sallyport approvals watch [--json]       what happens, as it happens
sallyport approvals end ID               take an exception back

What a rule asks about waits here, until its deadline (240 s, or the policy's \`approvals.seconds\`); then it is refused.
Once: this request, or the agent's next try. --for: also in other sessions; beyond 12 hours only of a waivable rule.`,
  "break-glass": `sallyport break-glass --rule DOCUMENT/RULE (--to HOST|--data CLASS|--agent NAME|--repo CLASS) --reason TEXT [--for 30m]

Waives a rule that says \`waivable: true\`, for what is named and nothing else, for at most an hour. It is recorded, every
running session is told, and each request that leaves by it names it. \`sallyport approvals end ID\` takes it back.`,
  models: `sallyport models [--json]
sallyport models set NAME --url URL [--model M] [--speaks anthropic-messages,openai-chat,openai-responses]
                          [--key-variable NAME | --key-file FILE]

Model servers of your own, by the names that rules give in \`rerouteTo\`. The profile \`restricted\` sends everything to
\`own-model\`: \`sallyport models set own-model --url http://127.0.0.1:8000 --model qwen3-coder\` makes it usable.
The file is <config>/models.yaml.`,
  scan: `sallyport scan [--json|--sarif] <path…>
sallyport scan --diff -          a unified diff on standard input: only its added lines
sallyport scan -                 text on standard input
sallyport scan --history [path]  what any commit of a git repository added
sallyport scan --exchange ID --reason TEXT     a recorded request; looking is itself recorded

The gateway's detectors, and what the policy in force here labels and waives (guardrails, --profile, .sallyport.yaml).
Exits with 1 when something is found, 0 when nothing is.`,
  classify: `sallyport classify <folder…> --out FILE [--class CLASS] [--name NAME] [--except FOLDER]

Writes an index of fingerprints by which a paste of the folder's code is recognised: some ten lines of it, also
re-indented, quoted, in a diff. The index holds no code. A policy names it (\`inspect: { code: [FILE] }\`), and then what is
recognised has the class (default: restricted) that the policy's rules speak of.

      --except FOLDER       code that is public: what it has in common with the folder is left out
      --name NAME           how findings call it; default: the folder's name`,
  vet: `sallyport vet <agent>[@version] | <executable> | <tarball> | <folder>

Runs the build many times against a scripted model, in a chamber where nothing but loopback is reached, changes one thing
of its surroundings at a time, then many at once, and tells what it then sends differently, down to the byte. The report is
kept in <state>/vettings. Of a known agent the build's own words are kept too, for its sessions to be compared with.
docs/lab.md says how.

      --json                one JSON object: agent, build, findings, notVaried, …
      --html FILE           a report for people, with code points side by side
      --factors list|A,B    what there is to vary; or vary only these
      --only FACTOR=L1,L2   just these levels; given twice, also together
      --hosts FILE          further base-URL hosts to try, one per line
      --repeats N           runs of each differing environment (4)
      --budget SECONDS      after it nothing new is begun (60; more where a run takes long)
      --jobs N              runs at a time
      --quick               no combinations, no switches, 3 repeats
      --range A..B          in which of an agent's releases findings come and go (with --only: these)
      --compare             two builds: hosts, requests, headers, tools, prompts, settings, files that changed

Exit codes: 0 nothing found, 1 findings, 2 usage, 3 it could not be run.

  sallyport vet claude@2.1.169 --only timezone=Asia/Shanghai
  sallyport vet ./my-agent --json
  sallyport vet claude --range 2.1.190..2.1.200
  sallyport vet --compare claude@2.1.197 claude@2.1.198`,
  why: `sallyport why <detector>                 what it looks for, where its rule comes from, and examples
sallyport why <hash> [path…]             one finding, as \`scan\` prints its hash: what found it, each place where it stands
                                         (in the workspace, or the paths), the rules in force for its class, how to silence it
sallyport why <hash> --history [path]
sallyport why <hash> --exchange ID --reason TEXT   in a recorded request; looking is itself recorded
sallyport why <exchange>                 a recorded request, as \`show --events\` names it: verdict, rules, what was found

Values are never printed: the line round a finding is shown with every finding in it masked. Of a hash the first 12 digits do.

      --json                the same as data
  -p, --profile NAME|FILE   under which profile`,
  up: "sallyport up\n\nStarts the station now instead of with the first `run`. With SALLYPORT_METRICS_PORT set it serves /metrics\n(Prometheus), /healthz and /readyz on that port of loopback.",
  down: "sallyport down [--force]\n\nStops the station. --force: even while sessions run; they lose their way out.",
  status: "sallyport status [--json]\n\nWhether the station runs, and its sessions.",
  setup:
    "sallyport setup [--for-tests]\n\nInstalls what this machine lacks (bubblewrap, by the system's package manager), saying so, and builds the recorder\nwhere a C compiler is.\n--for-tests: also what the test suite drives (git, gcc).",
};

export function helpFor(command: string): string {
  return COMMANDS[command] ?? HELP;
}
