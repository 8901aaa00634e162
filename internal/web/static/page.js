// Comfort on top of pages that work without it. Nothing here sends a form.
'use strict';

// The link of a mail carries address and code after "#": fill them in, and take
// them out of the address bar and the history.
function fillFromFragment() {
  const link = new URLSearchParams(location.hash.slice(1).replace(/&amp;|%26amp%3B/gi, '&'));
  if (!link.has('adresse') && !link.has('code')) return;
  const email = document.getElementById('email');
  const code = document.getElementById('code');
  if (!email || !code) {
    // Pasted over the answer to a form, whose address is the same up to the "#".
    const page = location.pathname === '/nouveau-mot-de-passe' ? location.pathname : '/activation';
    location.replace(page + '?lien' + location.hash);
    return;
  }
  history.replaceState(null, '', location.pathname + (location.search === '?etape=3' ? location.search : ''));
  // A "+" that some mail program did not escape has become a blank.
  if (link.get('adresse')) email.value = link.get('adresse').replace(/ /g, '+');
  // What follows a link in a text may have stuck to it.
  if (link.get('code')) code.value = link.get('code').replace(/(&\w*;?|[^0-9A-Z])+$/i, '');
  document.getElementById('rempli').hidden = !(email.value && code.value);
}

// A password typed blindly twice is typed wrong more often than one that is seen.
function addReveal(input) {
  const button = document.createElement('button');
  const label = input.labels[0].textContent.toLowerCase();
  function show(visible) {
    input.type = visible ? 'text' : 'password';
    button.textContent = visible ? 'Masquer' : 'Afficher';
    button.setAttribute('aria-label', button.textContent + ' : ' + label);
  }
  button.type = 'button';
  button.className = 'reveal';
  button.setAttribute('aria-controls', input.id);
  button.addEventListener('click', () => show(input.type === 'password'));
  input.form.addEventListener('submit', () => show(false)); // so that no browser keeps it as a plain text
  const row = document.createElement('div');
  row.className = 'row';
  input.replaceWith(row);
  row.append(input, button);
  show(false);
}

fillFromFragment();
addEventListener('hashchange', fillFromFragment);
document.querySelectorAll('input[type=password]').forEach(addReveal);
document.querySelectorAll('[data-rules]').forEach((input) => input.setAttribute('passwordrules', input.dataset.rules));
