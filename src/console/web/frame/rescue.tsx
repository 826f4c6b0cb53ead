/** What stands in a page's place when its code could not be loaded, or threw. */
import { Component, type ReactNode } from "react";
import { useTranslation } from "react-i18next";

export class Rescue extends Component<{ readonly children: ReactNode }, { readonly error: Error | null }> {
  override state: { readonly error: Error | null } = { error: null };

  static getDerivedStateFromError(error: unknown): { readonly error: Error } {
    return { error: error instanceof Error ? error : new Error(String(error)) };
  }

  override render(): ReactNode {
    return this.state.error === null ? this.props.children : <Broken detail={this.state.error.message} />;
  }
}

function Broken({ detail }: { readonly detail: string }): ReactNode {
  const { t } = useTranslation();
  return (
    <div className="page" role="alert">
      <h1>{t("broken")}</h1>
      <p className="soft mono">{detail}</p>
      <p>
        <button type="button" className="plain" onClick={() => window.location.reload()}>
          {t("state.again")}
        </button>
      </p>
    </div>
  );
}
