/** `<Command>`: a line to run elsewhere, with a button that copies it. */
import { type JSX, useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { Icon } from "../frame/icons.tsx";
import { Text } from "./text.tsx";

export function Copy({ text }: { readonly text: string }): JSX.Element {
  const { t } = useTranslation();
  const [isCopied, setCopied] = useState(false);
  useEffect(() => {
    if (!isCopied) return;
    const timer = setTimeout(() => setCopied(false), 2_000);
    return () => clearTimeout(timer);
  }, [isCopied]);
  return (
    <button
      type="button"
      className="quiet"
      aria-label={isCopied ? t("copied") : t("copy")}
      title={isCopied ? t("copied") : t("copy")}
      onClick={() => {
        void navigator.clipboard.writeText(text).then(() => setCopied(true));
      }}
    >
      <Icon name={isCopied ? "allow" : "copy"} />
    </button>
  );
}

export function Command({ children }: { readonly children: string }): JSX.Element {
  return (
    <div className="command-line">
      <code>
        <Text>{children}</Text>
      </code>
      <Copy text={children} />
    </div>
  );
}
