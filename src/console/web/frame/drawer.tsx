/** The navigation of a narrow screen: a sheet from the left, which keeps the focus until it is closed. */
import type { JSX, ReactNode } from "react";
import { Dialog, Modal, ModalOverlay } from "react-aria-components";

export function Drawer({
  isOpen,
  onClose,
  label,
  children,
}: {
  readonly isOpen: boolean;
  readonly onClose: () => void;
  readonly label: string;
  readonly children: ReactNode;
}): JSX.Element {
  return (
    <ModalOverlay
      className="veil veil-drawer"
      isDismissable
      isOpen={isOpen}
      onOpenChange={(open) => {
        if (!open) onClose();
      }}
    >
      <Modal className="drawer">
        <Dialog aria-label={label} className="side drawer-side">
          {children}
        </Dialog>
      </Modal>
    </ModalOverlay>
  );
}
