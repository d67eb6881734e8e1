import { type Book, Genre } from './generated/bookstore/v1/bookstore.ts';

/** What the shop has when it opens. */
export const CLASSICS: readonly Book[] = [
  book('9780141439518', 'Pride and Prejudice', 'Jane Austen', 1813, Genre.GENRE_NOVEL, 799),
  book('9780141439587', 'Emma', 'Jane Austen', 1815, Genre.GENRE_NOVEL, 849),
  book('9780141439471', 'Frankenstein', 'Mary Shelley', 1818, Genre.GENRE_GOTHIC, 699),
  book('9780141439556', 'Wuthering Heights', 'Emily Brontë', 1847, Genre.GENRE_GOTHIC, 799),
  book('9780141441146', 'Jane Eyre', 'Charlotte Brontë', 1847, Genre.GENRE_GOTHIC, 899),
  book('9780142437247', 'Moby-Dick', 'Herman Melville', 1851, Genre.GENRE_ADVENTURE, 1099),
  book('9780141439662', 'The Moonstone', 'Wilkie Collins', 1868, Genre.GENRE_MYSTERY, 999),
  book('9780141439822', 'Middlemarch', 'George Eliot', 1871, Genre.GENRE_NOVEL, 1199),
  book('9780140449129', 'Twenty Thousand Leagues Under the Sea', 'Jules Verne', 1870, Genre.GENRE_ADVENTURE, 899),
  book('9780141439846', 'Dracula', 'Bram Stoker', 1897, Genre.GENRE_GOTHIC, 799),
  book('9780141439976', 'The Time Machine', 'H. G. Wells', 1895, Genre.GENRE_SCIENCE_FICTION, 699),
  book('9780141441030', 'The War of the Worlds', 'H. G. Wells', 1898, Genre.GENRE_SCIENCE_FICTION, 699),
  book('9780140437867', 'The Hound of the Baskervilles', 'Arthur Conan Doyle', 1902, Genre.GENRE_MYSTERY, 749),
  book('9780140185850', 'We', 'Yevgeny Zamyatin', 1924, Genre.GENRE_SCIENCE_FICTION, 999),
];

function book(isbn: string, title: string, author: string, year: number, genre: Genre, priceCents: number): Book {
  return { isbn, title, author, year, genre, priceCents };
}

/** The shop's shelves: books by ISBN, in the order they came in, and no more of them than fit. */
export class Catalogue {
  readonly #books = new Map<string, Book>();
  readonly #capacity: number;

  constructor(books: readonly Book[], capacity: number) {
    for (const each of books) this.#books.set(each.isbn, each);
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#books.size;
  }

  /** Books that still fit. */
  get room(): number {
    return this.#capacity - this.#books.size;
  }

  get(isbn: string): Book | undefined {
    return this.#books.get(isbn);
  }

  add(each: Book): void {
    this.#books.set(each.isbn, each);
  }

  /** Books whose author's name contains `author` (any case) and that are of `genre`, where these say something. */
  find(author: string, genre: Genre): Book[] {
    const name = author.toLowerCase();
    return [...this.#books.values()].filter(
      (each) => each.author.toLowerCase().includes(name) && (genre === Genre.GENRE_UNSPECIFIED || each.genre === genre),
    );
  }

  /** A book that goes with `liked`: by the same author, else of the same genre; none of those in `except`. */
  companion(liked: Book, except: ReadonlySet<string>): { book: Book; reason: string } | undefined {
    const others = [...this.#books.values()].filter((each) => each.isbn !== liked.isbn && !except.has(each.isbn));
    const sameAuthor = others.find((each) => each.author === liked.author);
    if (sameAuthor) return { book: sameAuthor, reason: `also by ${liked.author}` };
    const sameGenre = others.find((each) => each.genre === liked.genre);
    return sameGenre && { book: sameGenre, reason: `of the same kind as ${liked.title}` };
  }
}
