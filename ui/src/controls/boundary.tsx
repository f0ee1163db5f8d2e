// Catches what breaks while the page is drawn, so that it is never blank.
import { Component, type ReactNode } from "react";
import { Note } from "./note";

interface Props {
  children: ReactNode;
  /** Shown small, in place of one part, instead of the whole page. */
  part?: string;
}

export class Boundary extends Component<Props, { error: Error | null }> {
  override state: { error: Error | null } = { error: null };

  static getDerivedStateFromError(error: Error): { error: Error } {
    return { error };
  }

  override render(): ReactNode {
    const { error } = this.state;
    if (error === null) return this.props.children;
    const note = (
      <Note kind="danger">
        <strong>{this.props.part ?? "The page"} could not be shown.</strong>
        <span>{error.message}</span>
        <span className="actions">
          {this.props.part ? (
            <button type="button" className="button" onClick={() => this.setState({ error: null })}>
              Try again
            </button>
          ) : (
            <button type="button" className="button" onClick={() => location.reload()}>
              Load the page again
            </button>
          )}
        </span>
      </Note>
    );
    return this.props.part ? note : <main className="gate">{note}</main>;
  }
}
