/** Sessions: the list, and the replay of one. */
import type { JSX } from "react";
import { Route, Routes } from "react-router";
import { SessionList } from "./list.tsx";
import { Replay } from "./replay.tsx";
import "./sessions.css";

export function Sessions(): JSX.Element {
  return (
    <Routes>
      <Route index element={<SessionList />} />
      <Route path=":id" element={<Replay />} />
    </Routes>
  );
}
