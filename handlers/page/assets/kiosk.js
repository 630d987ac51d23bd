// On a shared device Back and Forward lead to a blank form, also from and to pages that answer a form; handlers/kiosk.go
// says what is done without this script.
(() => {
  "use strict";
  const blank = document.currentScript.dataset.blank;
  history.replaceState(null, "", blank);
  addEventListener("pagehide", () => document.body.replaceChildren());
  addEventListener("pageshow", (event) => event.persisted && location.replace(blank));
})();
