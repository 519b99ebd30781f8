/** What the model rests on and where it is weak: the newest report, fetched when someone looks. */
import type { CairnApi } from "@cairn/client";
import type { Report, SpaceState } from "@cairn/protocol";
import { type JSX, useEffect, useState } from "react";
import { Menu } from "./menu.tsx";
import { inWords, reportRows } from "./words.ts";

type ReportMenuProps = { space: string; api: CairnApi; state: SpaceState };

export function ReportMenu({ space, api, state }: ReportMenuProps): JSX.Element {
  const { report } = state;
  // Always in its place: what is beside it does not move when the first one comes.
  return (
    <Menu label="Report" icon="report" stays notYet={report ? undefined : "Comes when the model is first refined"}>
      {report && <ReportRows key={report.blob} space={space} api={api} state={state} />}
    </Menu>
  );
}

function ReportRows({ space, api, state }: ReportMenuProps): JSX.Element {
  const [report, setReport] = useState<Report>();
  const [problem, setProblem] = useState<string>();
  useEffect(() => {
    const stop = new AbortController();
    api.report(space, { signal: stop.signal }).then(setReport, (error: unknown) => {
      if (!stop.signal.aborted) setProblem(inWords(error));
    });
    return () => stop.abort();
  }, [space, api]);
  if (!report) return <p className="report-wait">{problem ?? "Loading…"}</p>;
  return (
    <dl className="report" aria-label={`Report of model ${report.generation}`}>
      {reportRows(report, state.generations[report.generation]).map(({ name, text }) => (
        <div key={name + text}>
          <dt>{name}</dt>
          <dd>{text}</dd>
        </div>
      ))}
    </dl>
  );
}
