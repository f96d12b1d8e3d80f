import Head from 'next/head';
import { Board } from '../board.jsx';

/** A page of the Pages Router, which uses the installed React. */
export default function Page() {
  return (
    <>
      <Head>
        <link rel="icon" href="data:," />
      </Head>
      <Board id="old" />
    </>
  );
}
