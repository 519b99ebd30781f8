/** Around the whole page: what breaks in it is said. React alone would leave an empty window. */
import { Component, type ReactNode } from "react";
import { Trouble } from "./late.tsx";

export class Unbroken extends Component<{ children: ReactNode }, { broken: boolean }> {
  override state = { broken: false };

  static getDerivedStateFromError(): { broken: boolean } {
    return { broken: true };
  }

  override render(): ReactNode {
    if (!this.state.broken) return this.props.children;
    return <Trouble text="Something broke in this page. What the server has of the space is safe: reload to go on." />;
  }
}
