/** Which project: one that there is, or a new name. */
import { type JSX, useEffect, useState } from "react";
import { Mark } from "../../icons.tsx";
import { count, inWords } from "../../words.ts";
import { isRecord, type Place } from "../shared/place.ts";

type ProjectRow = { project_id: string; total_images: number; active_clients: number };

function projectHash(name: string): string {
  return `#/${encodeURIComponent(name)}`;
}

export function ProjectPicker({ place }: { place: Place }): JSX.Element {
  const [name, setName] = useState("");
  const [projects, setProjects] = useState<ProjectRow[]>([]);
  const [problem, setProblem] = useState<string>();

  useEffect(() => {
    document.title = "Heritage · Cairn";
    const stop = new AbortController();
    place.json("projects", { signal: stop.signal }).then(
      (body) => setProjects(isRecord(body) ? (body.projects as ProjectRow[]) : []),
      (error: unknown) => {
        if (!stop.signal.aborted) setProblem(inWords(error));
      },
    );
    return () => stop.abort();
  }, [place]);

  return (
    <main className="home">
      <header>
        <Mark />
        <h1>Heritage</h1>
        <p className="lead">Many people photograph one site, and all of them watch its cloud grow.</p>
      </header>
      <form
        className="join"
        onSubmit={(event) => {
          event.preventDefault();
          if (name.trim() !== "") location.hash = projectHash(name.trim());
        }}
      >
        <input
          className="text-field"
          aria-label="Name of the project"
          placeholder="Name of the project"
          value={name}
          maxLength={128}
          required
          onChange={({ target }) => setName(target.value)}
        />
        <button type="submit" className="button primary">
          Connect
        </button>
      </form>
      {problem && (
        <p className="problem" role="alert">
          {problem}
        </p>
      )}
      {projects.length > 0 && (
        <section aria-labelledby="projects">
          <h2 id="projects">Projects</h2>
          <ul className="spaces">
            {projects.map(({ project_id, total_images, active_clients }) => (
              <li key={project_id}>
                <a href={projectHash(project_id)}>
                  <strong>{project_id}</strong>
                  <span>
                    {count(total_images, "photo")}
                    {active_clients > 0 && ` · ${active_clients} connected`}
                  </span>
                </a>
              </li>
            ))}
          </ul>
        </section>
      )}
    </main>
  );
}
