// Chooses light or dark before the first paint. A file of its own: the content security policy allows no inline script.
(function () {
  var wanted = null;
  try {
    wanted = localStorage.getItem("parley.appearance");
  } catch (error) {
    // Storage is refused (private mode, blocked cookies): the system's choice stands.
  }
  var dark = wanted === "dark" || (wanted !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.dataset.theme = dark ? "dark" : "light";
})();
