/** xterm.js without add-ons: it only draws. */
import "@xterm/xterm/css/xterm.css";

export { Terminal } from "@xterm/xterm";
