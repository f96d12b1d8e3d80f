import { Board } from '../board.jsx';

/** A Server Component. */
export default function Page() {
  return <Board id="app" />;
}
