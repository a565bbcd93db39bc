import type { Metadata, Viewport } from "next";
import type { ReactNode } from "react";
import "./page.css";

export const metadata: Metadata = { title: "Todo chatbot", description: "What happens to a todo, as it happens." };
export const viewport: Viewport = { width: "device-width", initialScale: 1, colorScheme: "light dark" };

export default function Layout({ children }: { children: ReactNode }) {
  return (
    <html lang="en">
      <body>{children}</body>
    </html>
  );
}
