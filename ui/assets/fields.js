// What is typed must not reach the browser's memory of forms, nor its file of tabs to restore, which lies on the disk
// in the clear. Both leave out a field that says autocomplete="off", and of a text area they ask its form.
(() => {
  const off = (field) => {
    field.setAttribute("autocomplete", "off");
    if (field.localName === "textarea") field.setAttribute("form", "unkept");
  };
  const look = (node) => {
    if (node.nodeType !== Node.ELEMENT_NODE) return;
    if (node.matches("input, textarea")) off(node);
    node.querySelectorAll("input, textarea").forEach(off);
  };
  new MutationObserver((changes) => changes.forEach((change) => change.addedNodes.forEach(look))).observe(document, {
    childList: true,
    subtree: true,
  });
  look(document.documentElement);
})();
