/** Health: what is enforced on this machine, how the gateway and the disk are, and what went wrong. */
import type { JSX } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import type { Rows } from "../../../api/answer.ts";
import type { Control, Health as HealthData, StationFault } from "../../../api/health.ts";
import { Icon, type IconName } from "../../frame/icons.tsx";
import { Facts, Figure, Figures } from "../../parts/facts.tsx";
import { Ago, Bytes, bytesText, Num, When } from "../../parts/figures.tsx";
import { Page, Panel } from "../../parts/page.tsx";
import { Answered, Empty, Note } from "../../parts/state.tsx";
import { Table } from "../../parts/table.tsx";
import { Text } from "../../parts/text.tsx";
import { Chip, Verdict } from "../../parts/verdict.tsx";
import { useRead } from "../../station/read.ts";
import "./health.css";

export function Health(): JSX.Element {
  const { t } = useTranslation(["health", "frame"]);
  const health = useRead<HealthData>("health");
  return (
    <Page title={t("frame:page.health")} lede={t("lede")}>
      <Answered to={health}>
        {(data) => (
          <>
            <Verdicts health={data} />
            <Gauges health={data} />
            <Controls of={data.controls} />
            <div className="split">
              <Gateway health={data} />
              <Disk health={data} />
            </div>
            <div className="split">
              <Versions health={data} />
              <Agents health={data} />
            </div>
          </>
        )}
      </Answered>
      <Faults />
    </Page>
  );
}

/** The first thing to know: whether something promised is not kept. */
function Verdicts({ health }: { readonly health: HealthData }): JSX.Element {
  const { t } = useTranslation("health");
  const missing = health.controls.filter(({ state }) => state === "missing");
  const required = missing.filter(({ isRequired }) => isRequired);
  const degraded = health.controls.filter(({ state }) => state === "degraded");
  const isOld = health.versions.station !== null && health.versions.station !== health.versions.sallyport;
  const isWell =
    health.station !== null &&
    health.gateway?.isReady !== false &&
    missing.length === 0 &&
    degraded.length === 0 &&
    !isOld;
  return (
    <>
      {isWell && <Note tone="good">{t("well")}</Note>}
      {health.station === null && <Note tone="bad">{t("noStation")}</Note>}
      {health.gateway !== null && !health.gateway.isReady && <Note tone="bad">{t("notReady")}</Note>}
      {required.length > 0 && <Note tone="bad">{t("required", { count: required.length })}</Note>}
      {missing.length > required.length && (
        <Note tone="warn">{t("missing", { count: missing.length - required.length })}</Note>
      )}
      {degraded.length > 0 && <Note tone="warn">{t("degraded", { count: degraded.length })}</Note>}
      {isOld && (
        <Note tone="warn">
          {t("old", { station: health.versions.station ?? "", console: health.versions.sallyport })}
        </Note>
      )}
    </>
  );
}

function Gauges({ health }: { readonly health: HealthData }): JSX.Element {
  const { t, i18n } = useTranslation("health");
  const { station, gateway, disk, index } = health;
  return (
    <Figures>
      <Figure
        label={t("sessions")}
        note={
          station === null ? undefined : (
            <>
              {t("since")} <Ago at={station.startedAt} now={health.now} />
            </>
          )
        }
      >
        <Num>{station?.sessions.length ?? 0}</Num>
      </Figure>
      <Figure
        label={t("underWay")}
        note={t("held", { bytes: bytesText(gateway?.heldBytes ?? 0, i18n.language) })}
      >
        <Num>{gateway?.exchangesUnderWay ?? 0}</Num>
      </Figure>
      <Figure label={t("waiting")} {...((gateway?.waiting ?? 0) > 0 ? { tone: "ask" as const } : {})}>
        <Num>{gateway?.waiting ?? 0}</Num>
      </Figure>
      <Figure
        label={t("recording")}
        note={t("recordingNote")}
        {...((gateway?.recordFailures ?? 0) > 0 ? { tone: "deny" as const } : {})}
      >
        {gateway?.recordMs.p99 == null ? "–" : t("ms", { count: gateway.recordMs.p99 })}
      </Figure>
      <Figure
        label={t("free")}
        note={
          <>
            {t("of")} <Bytes>{disk.totalBytes}</Bytes>
          </>
        }
        {...(disk.freeBytes < disk.totalBytes * 0.05 ? { tone: "deny" as const } : {})}
      >
        <Bytes>{disk.freeBytes}</Bytes>
      </Figure>
      <Figure label={t("lag")} note={index.isCatchingUp ? t("catchingUp") : t("upToDate")}>
        <Num>{index.lag}</Num>
      </Figure>
    </Figures>
  );
}

const SIGNS: Readonly<Record<Control["state"], IconName>> = {
  enforced: "allow",
  degraded: "warn",
  missing: "deny",
};
const WORST: readonly Control["state"][] = ["missing", "degraded", "enforced"];

function Controls({ of }: { readonly of: readonly Control[] }): JSX.Element {
  const { t } = useTranslation("health");
  const inOrder = [...of].sort((a, b) => WORST.indexOf(a.state) - WORST.indexOf(b.state));
  return (
    <Panel title={t("controls.title")} note={t("controls.note")} bare>
      <ul className="controls">
        {inOrder.map((control) => (
          <li key={control.id} data-state={control.state}>
            <Icon name={SIGNS[control.state]} size={18} />
            <div>
              <p className="row-of">
                <strong>
                  <Text>{control.title}</Text>
                </strong>
                <Chip
                  tone={control.state === "enforced" ? "good" : control.state === "missing" ? "bad" : "warn"}
                >
                  {t(`control.${control.state}`)}
                </Chip>
                {control.isRequired && <span className="faint fine">{t("controls.required")}</span>}
              </p>
              <p className="soft fine">
                <Text>{control.detail}</Text>
              </p>
              {control.remedy !== null && control.state !== "enforced" && (
                <p className="fine">
                  <Text>{control.remedy}</Text>
                </p>
              )}
            </div>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function Gateway({ health: { gateway } }: { readonly health: HealthData }): JSX.Element {
  const { t } = useTranslation("health");
  return (
    <Panel title={t("gateway.title")} note={t("gateway.note")}>
      {gateway === null ? (
        <Empty title={t("noStation")} />
      ) : (
        <Facts
          rows={[
            {
              name: t("gateway.ready"),
              value: (
                <Chip tone={gateway.isReady ? "good" : "bad"}>
                  {t(`gateway.${gateway.isReady ? "yes" : "no"}`)}
                </Chip>
              ),
            },
            {
              name: t("gateway.exchanges"),
              value: (
                <span className="row-of">
                  {gateway.exchanges.map(({ verdict, count }) => (
                    <Verdict key={verdict} of={verdict} count={count} />
                  ))}
                </span>
              ),
            },
            { name: t("gateway.connections"), value: <Num>{gateway.connections}</Num> },
            { name: t("gateway.recordFailures"), value: <Num>{gateway.recordFailures}</Num> },
            ...gateway.failures.map(({ fault, count }) => ({ name: fault, value: <Num>{count}</Num> })),
          ]}
        />
      )}
    </Panel>
  );
}

function Disk({ health: { disk } }: { readonly health: HealthData }): JSX.Element {
  const { t } = useTranslation("health");
  const used = disk.totalBytes - disk.freeBytes;
  return (
    <Panel
      title={t("disk.title")}
      note={
        <span className="mono fine">
          <Text>{disk.path}</Text>
        </span>
      }
    >
      <div className="stack">
        <meter
          min={0}
          max={disk.totalBytes}
          value={used}
          high={disk.totalBytes * 0.9}
          aria-label={t("disk.used")}
        />
        <Facts
          rows={[
            { name: t("disk.free"), value: <Bytes>{disk.freeBytes}</Bytes> },
            { name: t("disk.ledger"), value: <Bytes>{disk.ledgerBytes}</Bytes> },
            { name: t("disk.index"), value: <Bytes>{disk.indexBytes}</Bytes> },
            disk.snapshotBytes === null
              ? null
              : { name: t("disk.snapshots"), value: <Bytes>{disk.snapshotBytes}</Bytes> },
          ]}
        />
      </div>
    </Panel>
  );
}

function Versions({ health: { versions, station, index } }: { readonly health: HealthData }): JSX.Element {
  const { t } = useTranslation("health");
  return (
    <Panel title={t("versions.title")}>
      <Facts
        rows={[
          { name: "Sallyport", value: <Text>{versions.sallyport}</Text> },
          { name: t("versions.station"), value: <Text>{versions.station ?? "–"}</Text> },
          { name: "Node", value: <Text>{versions.node}</Text> },
          { name: t("versions.platform"), value: <Text>{versions.platform}</Text> },
          station === null
            ? null
            : { name: t("versions.memory"), value: <Bytes>{station.residentBytes}</Bytes> },
          {
            name: t("versions.index"),
            value: (
              <>
                <Num>{index.size}</Num> / <Num>{index.ledgerSize}</Num>
              </>
            ),
          },
        ]}
      />
    </Panel>
  );
}

function Agents({ health: { agents, station } }: { readonly health: HealthData }): JSX.Element {
  const { t } = useTranslation("health");
  return (
    <Panel title={t("agents.title")}>
      <Facts
        rows={[
          ...agents.map(({ name, version, remedy }) => ({
            name,
            value:
              version === null ? (
                <span className="soft">
                  <Text>{remedy ?? t("agents.none")}</Text>
                </span>
              ) : (
                <Text>{version}</Text>
              ),
          })),
          station === null || station.sessions.length === 0
            ? null
            : {
                name: t("agents.running"),
                value: (
                  <span className="row-of">
                    {station.sessions.map(({ session, agent, workspace }) => (
                      <Link key={session} to={`/sessions/${encodeURIComponent(session)}`}>
                        <Text isCut shown={80}>{`${agent} · ${workspace}`}</Text>
                      </Link>
                    ))}
                  </span>
                ),
              },
        ]}
      />
    </Panel>
  );
}

function Faults(): JSX.Element {
  const { t } = useTranslation("health");
  const faults = useRead<Rows<StationFault>>("health/faults", { limit: 200 });
  return (
    <Panel title={t("faults.title")} note={t("faults.note")} bare>
      <Answered
        to={faults}
        isEmpty={({ rows }) => rows.length === 0}
        empty={<Empty title={t("faults.none")} />}
      >
        {({ rows, next }) => (
          <Table
            caption={t("faults.title")}
            rows={rows.map((row, at) => ({ ...row, key: `${at} ${row.at ?? ""} ${row.code ?? ""}` }))}
            rowKey={(row) => row.key}
            isPartial={next !== null}
            source={{ path: "health/faults", query: {} }}
            columns={[
              {
                id: "at",
                title: t("faults.at"),
                isHead: true,
                value: (row) => (row.at === null ? null : new Date(row.at).toISOString()),
                cell: (row) => (row.at === null ? "–" : <When at={row.at} form="exact" />),
              },
              {
                id: "code",
                title: t("faults.code"),
                value: (row) => row.code,
                cell: (row) => (
                  <span className="mono">
                    <Text>{row.code ?? "–"}</Text>
                  </span>
                ),
              },
              {
                id: "detail",
                title: t("faults.detail"),
                grows: true,
                value: (row) => row.detail,
                cell: (row) => <Text>{row.detail}</Text>,
              },
            ]}
          />
        )}
      </Answered>
    </Panel>
  );
}
