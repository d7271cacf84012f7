"""Files over HTTP that arrive whole or not at all, whatever the connection does.

Knows: httpx, ranges, validators (ETag, Last-Modified), retries, backoff, Retry-After, connections that stall.
Doesn't know: which files there are (`download_index`), or where their bytes go (`download`, `download_stream`).

After a cut, reading goes on where it was, if the server gives ranges and can say that the file is still the same one;
else from the first byte. A file that has changed is never continued (RFC 9110, sections 13.1.5 and 14).
"""

from __future__ import annotations

import logging
import random
import re
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Self, TypeVar

import httpx

import chesslm
from chesslm.errors import ConfigError, InputError
from data_prep.download_config import DownloadSection

log = logging.getLogger(__name__)

MAX_TEXT_LEN = 1 << 22  # bytes of a list, a table of counts or of checksums
PROGRESS_LEN = 1 << 20  # bytes that a connection must bring for the failures before it to be forgotten
_TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})
_NO_HEAD = frozenset({405, 501})
_RANGE_NOT_SATISFIABLE = 416
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")


class FileChanged(InputError):
    """The server now has another file under the same address."""


class _Transient(Exception):
    """Something that may be over soon.

    Args:
        what: what happened.
        asked_s: seconds that the server asked to wait, if it did.
    """

    def __init__(self, what: str, asked_s: float | None = None) -> None:
        super().__init__(what)
        self.asked_s = asked_s


_FAILURES = (httpx.RequestError, httpx.InvalidURL, _Transient)
_FINAL = (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.TooManyRedirects, httpx.DecodingError)
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file as its server describes it.

    Args:
        url: its address.
        size: bytes; None if the server doesn't say.
        etag: a strong one; None if there is none.
        last_modified: as the server writes it; None if it doesn't.
    """

    url: str
    size: int | None
    etag: str | None
    last_modified: str | None

    @property
    def validator(self) -> str | None:
        """What tells the server which version is meant; None if it gave nothing to tell them apart."""
        return self.etag or self.last_modified

    def may_be(self, other: RemoteFile) -> bool:
        """Whether nothing that both descriptions say differs."""
        pairs = [(self.size, other.size), (self.etag, other.etag)]
        if self.etag is None or other.etag is None:
            pairs.append((self.last_modified, other.last_modified))
        return all(one == another for one, another in pairs if one is not None and another is not None)


class Server:
    """Connections to a server.

    Args:
        section: addresses, times, proxies.
        wait: waits some seconds before a new attempt; may raise to end everything.
        jitter: a random number of [0, 1): a thousand clients that were cut off together must not come back together.

    Raises:
        ConfigError: the proxy or the certificates can't be used.
    """

    def __init__(
        self,
        section: DownloadSection,
        *,
        wait: Callable[[float], object] = time.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._section = section
        self._wait = wait
        self._jitter = jitter
        try:
            verify = True if section.ca_file is None else ssl.create_default_context(cafile=section.ca_file)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(f"download.ca_file: can't use {section.ca_file}: {error.strerror or error}") from error
        try:
            self._client = httpx.Client(
                verify=verify,
                proxy=section.proxy,
                timeout=section.timeout_s,
                follow_redirects=True,
                trust_env=False,  # no proxy, certificate or password that nobody has asked for
                headers={"User-Agent": f"chesslm/{chesslm.__version__}", "Accept-Encoding": "identity"},
            )
        except (ValueError, ImportError, httpx.InvalidURL) as error:
            raise ConfigError(f"download.proxy: can't use {section.proxy}: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._client.close()

    def text(self, url: str) -> str | None:
        """A small file as text; None if the server hasn't got it.

        Raises:
            InputError: it can't be had.
        """

        def get() -> str | None:
            with self._client.stream("GET", url) as response:
                if response.status_code == httpx.codes.NOT_FOUND:
                    return None
                content = bytearray()
                for piece in self._unstalled(_checked(response)):
                    content += piece
                    if len(content) > MAX_TEXT_LEN:
                        raise InputError(f"{url}: more than {MAX_TEXT_LEN:,} bytes; that is no list of dumps")
                return content.decode(errors="replace")

        return self._patiently(url, get)

    def describe(self, url: str) -> RemoteFile:
        """What the server says about a file, without its bytes.

        Raises:
            InputError: it isn't there, or the server can't be reached.
        """

        def head() -> RemoteFile:
            response = self._client.head(url)
            if response.status_code not in _NO_HEAD:
                return _described(url, _checked(response))
            with self._client.stream("GET", url) as streamed:
                return _described(url, _checked(streamed))

        return self._patiently(url, head)

    def read(self, remote: RemoteFile, start: int = 0) -> Iterator[tuple[int, bytes]]:
        """The bytes of a file from `start` on, as pairs (where they belong, bytes).

        The place goes back to 0 when the server can only begin anew.

        Raises:
            FileChanged: the server has another file there than `remote` describes.
            InputError: it can't be had, or not after so many attempts.
        """
        patience = _Patience(remote.url, self._section, self._wait, self._jitter)
        at = start
        while remote.size is None or at < remote.size:
            num_bytes = 0
            try:
                for place, piece in self._connection(remote, at):
                    yield place, piece
                    at = place + len(piece)
                    num_bytes += len(piece)
                if remote.size is None or at >= remote.size:
                    return
                raise _Transient(f"the connection ended at byte {at:,} of {remote.size:,}")
            except _FAILURES as error:
                patience.failed(error, made_progress=num_bytes >= PROGRESS_LEN)

    def _connection(self, remote: RemoteFile, at: int) -> Iterator[tuple[int, bytes]]:
        if remote.validator is None:
            at = 0  # nothing would tell whether the rest is of the same file
        headers = {"Range": f"bytes={at}-", "If-Range": str(remote.validator)} if at else {}
        with self._client.stream("GET", remote.url, headers=headers) as response:
            if response.status_code == _RANGE_NOT_SATISFIABLE:
                raise FileChanged(f"{remote.url}: has become shorter than byte {at:,}")
            _checked(response)
            if at and response.status_code == httpx.codes.PARTIAL_CONTENT:
                _check_range(response, remote, at)
            else:
                at = 0
                found = _described(remote.url, response)
                if not remote.may_be(found):
                    raise FileChanged(f"{remote.url}: changed on the server: {_difference(remote, found)}")
            for piece in self._unstalled(response):
                if remote.size is not None and at + len(piece) > remote.size:
                    raise FileChanged(f"{remote.url}: sends more than the {remote.size:,} bytes that it should have")
                yield at, piece
                at += len(piece)

    def _unstalled(self, response: httpx.Response) -> Iterator[bytes]:
        """The raw bytes of an answer. Only the time spent waiting for them counts, not what is done with them."""
        pieces = response.iter_raw()
        waited_s, num_bytes = 0.0, 0
        while True:
            began_s = time.monotonic()
            piece = next(pieces, None)
            waited_s += time.monotonic() - began_s
            if piece is None:
                return
            num_bytes += len(piece)
            if waited_s >= self._section.timeout_s:
                if num_bytes < self._section.min_speed * waited_s:
                    raise _Transient(f"only {num_bytes:,} bytes in {waited_s:.0f} s")
                waited_s, num_bytes = 0.0, 0
            yield piece

    def _patiently(self, url: str, ask: Callable[[], Answer]) -> Answer:
        patience = _Patience(url, self._section, self._wait, self._jitter)
        while True:
            try:
                return ask()
            except _FAILURES as error:
                patience.failed(error)


class _Patience:
    """How often to try again, and after how long."""

    def __init__(
        self,
        url: str,
        section: DownloadSection,
        wait: Callable[[float], object],
        jitter: Callable[[], float],
    ) -> None:
        self._url = url
        self._section = section
        self._wait = wait
        self._jitter = jitter
        self._num_failures = 0

    def failed(self, error: Exception, *, made_progress: bool = False) -> None:
        """Wait for the next attempt.

        Raises:
            InputError: there is none.
        """
        what = str(error) or type(error).__name__
        if isinstance(error, _FINAL):
            raise InputError(f"{self._url}: {what}") from error
        self._num_failures = 1 if made_progress else self._num_failures + 1
        if self._num_failures > self._section.retries:
            raise InputError(f"{self._url}: {what}; gave up after {self._num_failures} attempts") from error
        longest_s = self._section.max_wait_s
        asked_s = (error.asked_s if isinstance(error, _Transient) else None) or 0.0
        if asked_s > longest_s:
            raise InputError(f"{self._url}: {what}; it asks to wait {asked_s:,.0f} s (download.max_wait_s)") from error
        backoff_s = min(self._section.backoff_s * 2 ** (self._num_failures - 1), longest_s)
        wait_s = max(backoff_s * (1 + self._jitter()) / 2, asked_s)
        log.warning("%s: %s; trying again in %.0f s", self._url, what, wait_s)
        self._wait(wait_s)


def _checked(response: httpx.Response) -> httpx.Response:
    """The answer, if it is what was asked for."""
    status = response.status_code
    if response.is_success:
        return response
    said = f"the server answers {status} {response.reason_phrase}".rstrip()
    if status in _TRANSIENT:
        raise _Transient(said, _asked_s(response.headers.get("Retry-After")))
    raise InputError(f"{response.request.url}: {said}")


def _asked_s(retry_after: str | None) -> float | None:
    """Seconds of a Retry-After header, which has a number of them or a date (RFC 9110, section 10.2.3)."""
    if retry_after is None:
        return None
    if retry_after.strip().isdecimal():
        return float(retry_after)
    try:
        date = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    return max(0.0, date.timestamp() - time.time())


def _described(url: str, response: httpx.Response) -> RemoteFile:
    length = response.headers.get("Content-Length", "")
    etag = response.headers.get("ETag")
    return RemoteFile(
        url,
        int(length) if length.isdecimal() else None,
        etag if etag and etag.startswith('"') else None,  # a weak one (W/"…") doesn't promise the same bytes
        response.headers.get("Last-Modified"),
    )


def _check_range(response: httpx.Response, remote: RemoteFile, at: int) -> None:
    """Make sure that a partial answer is the rest of the file."""
    given = response.headers.get("Content-Range", "")
    match = _CONTENT_RANGE.fullmatch(given.strip())
    if match is None or int(match[1]) != at:
        raise InputError(f"{remote.url}: asked for the bytes from {at:,} on, was given {given or 'no range'!r}")
    if match[3] != "*" and remote.size is not None and int(match[3]) != remote.size:
        raise FileChanged(f"{remote.url}: changed on the server: now {int(match[3]):,} bytes, before {remote.size:,}")


def _difference(before: RemoteFile, now: RemoteFile) -> str:
    if before.size != now.size and None not in (before.size, now.size):
        return f"now {now.size:,} bytes, before {before.size:,}"
    return f"now {now.etag or now.last_modified}, before {before.etag or before.last_modified}"
