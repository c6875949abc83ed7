// Light, dark, or as the system says; remembered.

const KEY = 'antiphon-theme';
const ORDER = ['auto', 'light', 'dark'];
const NAMES = { auto: 'as the system', light: 'light', dark: 'dark' };

const button = document.getElementById('theme');
let theme = remembered();

function remembered() {
  try {
    const saved = localStorage.getItem(KEY);
    return ORDER.includes(saved) ? saved : 'auto';
  } catch {
    return 'auto'; // Storage is switched off.
  }
}

function show() {
  document.documentElement.dataset.theme = theme;
  const name = `Colours: ${NAMES[theme]}`;
  button.setAttribute('aria-label', name);
  button.title = name;
  // Canvases cannot follow style sheets by themselves.
  document.dispatchEvent(new Event('themechange'));
}

button.addEventListener('click', () => {
  theme = ORDER[(ORDER.indexOf(theme) + 1) % ORDER.length];
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // It lasts as long as the page, then.
  }
  show();
});
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', show);
show();
