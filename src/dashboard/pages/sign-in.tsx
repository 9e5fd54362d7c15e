import {useState} from 'preact/hooks';
import {send} from '../api.ts';
import type {Words} from '../texts.ts';

export function SignIn({words, onSignedIn}: {readonly words: Words; onSignedIn(): void}) {
  document.title = `${words.signIn} · Assay`;
  const [key, setKey] = useState('');
  const [error, setError] = useState('');
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    setError('');
    try {
      await send('POST', '/v1/session', {key: key.trim()});
      onSignedIn();
    } catch (failure) {
      setError(failure instanceof Error ? failure.message : String(failure));
    }
  };
  return (
    <main class="signin card">
      <form onSubmit={event => void submit(event)}>
        <h1>{words.signIn}</h1>
        <p>{words.signInWhy}</p>
        <label>{words.apiKey}
          <input type="password" name="key" autocomplete="current-password" required value={key} onInput={event => setKey(event.currentTarget.value)} />
        </label>
        {error !== '' && <p class="error" role="alert">{error}</p>}
        <button type="submit" class="primary">{words.signIn}</button>
      </form>
    </main>
  );
}
