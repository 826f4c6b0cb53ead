/** One repository: who got how much of it, and where in it that was. */
import type { JSX } from "react";
import { useTranslation } from "react-i18next";
import { Link, useSearchParams } from "react-router";
import type { DisclosedPlace, Recipient, RepositoryDetail } from "../../../api/disclosures.ts";
import { Choice } from "../../parts/choice.tsx";
import { countColumn, timeColumn } from "../../parts/columns.tsx";
import { Figure, Figures } from "../../parts/facts.tsx";
import { Num, When } from "../../parts/figures.tsx";
import { Panel } from "../../parts/page.tsx";
import { Answered } from "../../parts/state.tsx";
import { type Column, Table } from "../../parts/table.tsx";
import { Text } from "../../parts/text.tsx";
import { useRange } from "../../station/range.ts";
import { useRead } from "../../station/read.ts";
import { DirectoryMap } from "./map.tsx";
import { percentText, Share } from "./share.tsx";

export function Repository({ workspace }: { readonly workspace: string }): JSX.Element {
  const { t } = useTranslation(["disclosures", "frame"]);
  const { from, to } = useRange();
  const [search, setSearch] = useSearchParams();
  const under = search.get("under") ?? "";
  const destination = search.get("recipient") ?? "";
  const detail = useRead<RepositoryDetail>("disclosures/repository", {
    workspace,
    under,
    destination,
    from,
    to,
  });
  const address = (changes: Readonly<Record<string, string>>): string => {
    const next = new URLSearchParams(search);
    next.set("repository", workspace);
    for (const [name, value] of Object.entries(changes))
      if (value === "") next.delete(name);
      else next.set(name, value);
    return `?${next}`;
  };
  return (
    <Answered to={detail}>
      {({ repository, places, more }) => (
        <>
          <Panel title={<Text>{workspace}</Text>} note={t("repositoryNote")}>
            <Overall repository={repository} />
          </Panel>
          <Panel title={t("recipients")} note={t("recipientsNote")} bare>
            <Recipients
              rows={repository.recipients}
              linkTo={(id) => address({ recipient: id === destination ? "" : id })}
              chosen={destination}
            />
          </Panel>
          <Panel
            title={t("where")}
            note={t("whereNote")}
            controls={
              <Choice
                label={t("recipient")}
                value={destination}
                options={[
                  { value: "", label: t("everybody") },
                  ...repository.recipients.map((one) => ({
                    value: one.destination,
                    label: one.operator === null ? one.destination : `${one.operator} (${one.destination})`,
                  })),
                ]}
                onChoose={(value) =>
                  setSearch((now) => {
                    const next = new URLSearchParams(now);
                    if (value === "") next.delete("recipient");
                    else next.set("recipient", value);
                    return next;
                  })
                }
              />
            }
          >
            <Crumbs under={under} root={workspace} linkTo={(path) => address({ under: path })} />
            <DirectoryMap
              places={places}
              linkTo={(place) =>
                place.kind === "directory"
                  ? place.files > 0
                    ? address({ under: place.path })
                    : null
                  : address({ file: place.path })
              }
            />
            {more > 0 && <p className="soft">{t("morePlaces", { count: more })}</p>}
            <Places
              rows={places}
              linkTo={(place) =>
                place.kind === "directory"
                  ? place.files > 0
                    ? address({ under: place.path })
                    : null
                  : address({ file: place.path })
              }
              source={{ path: "disclosures/files", query: { workspace, under, destination, from, to } }}
            />
          </Panel>
        </>
      )}
    </Answered>
  );
}

function Overall({ repository }: { readonly repository: RepositoryDetail["repository"] }): JSX.Element {
  const { t, i18n } = useTranslation(["disclosures", "frame"]);
  const { share, lines, files, exchanges, bytes, unmatchedBytes, measured } = repository;
  return (
    <>
      <Figures>
        <Figure
          label={t("share")}
          note={t("shareNote")}
          {...(share !== null && share >= 0.5 ? { tone: "deny" as const } : {})}
        >
          {share === null ? "–" : percentText(share, i18n.language)}
        </Figure>
        <Figure
          label={t("lines")}
          note={measured === null ? t("unmeasured") : t("linesOf", { of: measured.lines })}
        >
          <Num>{lines}</Num>
        </Figure>
        <Figure
          label={t("files")}
          note={measured === null ? undefined : t("filesOf", { of: measured.files })}
        >
          <Num>{files}</Num>
        </Figure>
        <Figure label={t("exchanges")}>
          <Num>{exchanges}</Num>
        </Figure>
        <Figure label={t("unmatched")} note={t("unmatchedNote")}>
          {bytes === 0 ? "–" : percentText(unmatchedBytes / bytes, i18n.language)}
        </Figure>
      </Figures>
      {measured !== null && (
        <p className="soft measured">
          {t("measuredAt")} <When at={measured.at} />
          {measured.commit !== null && (
            <>
              {" · "}
              {t("commit")} <code>{measured.commit.slice(0, 12)}</code>
            </>
          )}
          {measured.notRead > 0 && ` · ${t("notRead", { count: measured.notRead })}`}
        </p>
      )}
    </>
  );
}

function Recipients({
  rows,
  linkTo,
  chosen,
}: {
  readonly rows: readonly Recipient[];
  readonly linkTo: (destination: string) => string;
  readonly chosen: string;
}): JSX.Element {
  const { t } = useTranslation(["disclosures", "frame"]);
  const columns: readonly Column<Recipient>[] = [
    {
      id: "destination",
      title: t("recipient"),
      isHead: true,
      cell: ({ destination, operator }) => (
        <>
          <Link to={linkTo(destination)} aria-current={destination === chosen ? "true" : undefined}>
            <Text>{operator ?? destination}</Text>
          </Link>
          {operator !== null && (
            <span className="faint second">
              <Text>{destination}</Text>
            </span>
          )}
        </>
      ),
      value: ({ destination }) => destination,
    },
    {
      id: "share",
      title: t("share"),
      cell: ({ share, destination }) => <Share of={share} label={destination} />,
      value: ({ share }) => share,
      numeric: true,
    },
    countColumn("lines", t("lines"), ({ lines }) => lines),
    countColumn("files", t("files"), ({ files }) => files),
    countColumn("exchanges", t("exchanges"), ({ exchanges }) => exchanges),
    timeColumn("first", t("first"), ({ first }) => first),
    timeColumn("last", t("last"), ({ last }) => last),
  ];
  return (
    <Table
      caption={t("recipients")}
      columns={columns}
      rows={rows}
      rowKey={({ destination }) => destination}
    />
  );
}

function Crumbs({
  under,
  root,
  linkTo,
}: {
  readonly under: string;
  readonly root: string;
  readonly linkTo: (path: string) => string;
}): JSX.Element {
  const { t } = useTranslation(["disclosures", "frame"]);
  const parts = under === "" ? [] : under.split("/");
  return (
    <nav className="crumbs" aria-label={t("path")}>
      <Link to={linkTo("")}>
        <Text>{root}</Text>
      </Link>
      {parts.map((part, at) => {
        const path = parts.slice(0, at + 1).join("/");
        return (
          <span key={path}>
            <span aria-hidden="true">/</span>
            <Link to={linkTo(path)}>
              <Text>{part}</Text>
            </Link>
          </span>
        );
      })}
    </nav>
  );
}

function Places({
  rows,
  linkTo,
  source,
}: {
  readonly rows: readonly DisclosedPlace[];
  readonly linkTo: (place: DisclosedPlace) => string | null;
  readonly source: {
    readonly path: string;
    readonly query: Readonly<Record<string, string | number | undefined>>;
  };
}): JSX.Element {
  const { t } = useTranslation(["disclosures", "frame"]);
  const shareOf = ({ lines, of }: DisclosedPlace): number => (of === 0 ? 0 : lines / of);
  const columns: readonly Column<DisclosedPlace>[] = [
    {
      id: "path",
      title: t("place"),
      isHead: true,
      grows: true,
      cell: (place) => {
        const name = `${place.path.slice(place.path.lastIndexOf("/") + 1)}${place.kind === "directory" ? "/" : ""}`;
        const to = linkTo(place);
        return to === null ? (
          <Text className="faint">{name}</Text>
        ) : (
          <Link to={to}>
            <Text>{name}</Text>
          </Link>
        );
      },
      value: ({ path }) => path,
    },
    {
      id: "share",
      title: t("shareOfIt"),
      cell: (place) => <Share of={shareOf(place)} label={place.path} />,
      value: shareOf,
      numeric: true,
    },
    countColumn("lines", t("lines"), ({ lines }) => lines),
    {
      id: "of",
      title: t("ofLines"),
      cell: ({ of, isMeasured, kind }) => (
        <>
          <Num>{of}</Num>
          {!isMeasured && kind === "directory" && <span className="faint"> {t("atLeast")}</span>}
        </>
      ),
      value: ({ of }) => of,
      numeric: true,
    },
    countColumn("files", t("files"), ({ files }) => files),
    countColumn("exchanges", t("exchanges"), ({ exchanges }) => exchanges),
    timeColumn("last", t("last"), ({ last }) => last),
  ];
  return (
    <Table
      caption={t("places")}
      columns={columns}
      rows={rows}
      rowKey={({ path, kind }) => `${kind} ${path}`}
      sorting={{ column: "lines", direction: "descending" }}
      source={source}
    />
  );
}
