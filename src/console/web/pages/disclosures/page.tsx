/** Which files and lines left each repository, to whom, and what could be put together again from them. */
import type { JSX } from "react";
import { useTranslation } from "react-i18next";
import { Link, useSearchParams } from "react-router";
import type { DisclosureOverview, RepositoryDisclosure } from "../../../api/disclosures.ts";
import { bytesColumn, countColumn, timeColumn } from "../../parts/columns.tsx";
import { Num } from "../../parts/figures.tsx";
import { Page, Panel } from "../../parts/page.tsx";
import { RangePicker } from "../../parts/range-picker.tsx";
import { Answered, Empty, Note } from "../../parts/state.tsx";
import { type Column, Table } from "../../parts/table.tsx";
import { Text } from "../../parts/text.tsx";
import { useRange } from "../../station/range.ts";
import { useRead } from "../../station/read.ts";
import "./disclosures.css";
import { FileView } from "./file.tsx";
import { Repository } from "./repository.tsx";
import { Share } from "./share.tsx";

export function Disclosures(): JSX.Element {
  const { t } = useTranslation(["disclosures", "frame"]);
  const [search] = useSearchParams();
  const { from, to } = useRange();
  const overview = useRead<DisclosureOverview>("disclosures", { from, to });
  const file = search.get("file");
  const named = search.get("repository");
  if (file !== null && named !== null) return <FileView workspace={named} path={file} />;
  return (
    <Page title={t("frame:page.disclosures")} lede={t("lede")} controls={<RangePicker />}>
      <Answered
        to={overview}
        isEmpty={({ repositories }) => repositories.length === 0}
        empty={
          <Panel>
            <Empty title={t("none")}>{t("noneWhy")}</Empty>
          </Panel>
        }
      >
        {({ repositories }, { filter }) => {
          const chosen = repositories.find(({ workspace }) => workspace === named) ?? repositories[0];
          return (
            <>
              <Panel title={t("repositories")} note={t("repositoriesNote")} bare>
                <Repositories rows={repositories} chosen={chosen?.workspace ?? ""} filter={filter} />
              </Panel>
              <Note>{t("bound")}</Note>
              {chosen !== undefined && <Repository key={chosen.workspace} workspace={chosen.workspace} />}
            </>
          );
        }}
      </Answered>
    </Page>
  );
}

function Repositories({
  rows,
  chosen,
  filter,
}: {
  readonly rows: readonly RepositoryDisclosure[];
  readonly chosen: string;
  readonly filter: string | undefined;
}): JSX.Element {
  const { t } = useTranslation(["disclosures", "frame"]);
  const [search] = useSearchParams();
  const to = (workspace: string): string => {
    const next = new URLSearchParams(search);
    next.set("repository", workspace);
    for (const name of ["under", "recipient", "file"]) next.delete(name);
    return `?${next}`;
  };
  const columns: readonly Column<RepositoryDisclosure>[] = [
    {
      id: "workspace",
      title: t("repository"),
      isHead: true,
      cell: ({ workspace }) => (
        <Link to={to(workspace)} aria-current={workspace === chosen ? "true" : undefined}>
          <Text>{workspace}</Text>
        </Link>
      ),
      value: ({ workspace }) => workspace,
    },
    {
      id: "share",
      title: t("share"),
      cell: ({ share, workspace }) => <Share of={share} label={workspace} />,
      value: ({ share }) => share,
      numeric: true,
    },
    countColumn("lines", t("lines"), ({ lines }) => lines),
    {
      id: "of",
      title: t("ofLines"),
      cell: ({ measured }) => (measured === null ? t("unmeasured") : <Num>{measured.lines}</Num>),
      value: ({ measured }) => measured?.lines ?? null,
      numeric: true,
    },
    countColumn("files", t("files"), ({ files }) => files),
    countColumn("recipients", t("recipients"), ({ recipients }) => recipients.length),
    bytesColumn("unmatched", t("unmatched"), ({ unmatchedBytes }) => unmatchedBytes),
    countColumn("exchanges", t("exchanges"), ({ exchanges }) => exchanges, filter),
    timeColumn("last", t("last"), ({ last }) => last),
  ];
  return (
    <Table caption={t("repositories")} columns={columns} rows={rows} rowKey={({ workspace }) => workspace} />
  );
}
