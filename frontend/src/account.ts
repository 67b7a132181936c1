/** Passkeys are allauth's own script; what it calls an error becomes words here. */
import "./styles/account.css";

const problem = document.getElementById("passkey-problem");

function reason(error: unknown): string | undefined {
  const name = error instanceof DOMException ? error.name : "";
  if (name === "InvalidStateError") return problem?.dataset.known;
  // A SecurityError is an address that browsers make no passkeys for; without a secure context there is no API at all.
  if (name === "SecurityError" || !window.isSecureContext) return problem?.dataset.unable;
  return problem?.dataset.refused;
}

document.addEventListener("allauth.error", (event) => {
  if (!problem) return;
  event.preventDefault();
  problem.textContent = reason((event as CustomEvent<{ exception: unknown }>).detail.exception) ?? "";
  problem.hidden = false;
});
