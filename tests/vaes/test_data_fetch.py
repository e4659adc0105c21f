"""Downloads from a local server: whole and right, or nothing."""

from __future__ import annotations

import contextlib

import pytest

from tests import published_files as tiny
from vaes import data
from vaes.data_fetch import fetch, fetchable
from vaes.data_files import DataError

FILES = tiny.contents()
ALL_OF_MNIST = ("train-images-idx3-ubyte.gz", "t10k-images-idx3-ubyte.gz")
STATIC_MNIST = tuple(f"binarized_mnist_{part}.amat" for part in ("train", "valid", "test"))


def honest(request):
    content = FILES[request.path.lstrip("/")]
    request.send_response(200)
    request.send_header("Content-Length", str(len(content)))
    request.end_headers()
    request.wfile.write(content)


def gzip_as_encoding(request):
    """A server that takes the end of a file's name for the encoding of the transfer."""
    content = FILES[request.path.lstrip("/")]
    request.send_response(200)
    request.send_header("Content-Length", str(len(content)))
    request.send_header("Content-Encoding", "x-gzip")
    request.end_headers()
    request.wfile.write(content)


def another(request):
    request.send_response(200)
    request.end_headers()
    request.wfile.write(b"<html>moved</html>")


def cut(request):
    content = FILES[request.path.lstrip("/")]
    request.send_response(200)
    request.send_header("Content-Length", str(len(content)))
    request.end_headers()
    request.wfile.write(content[: len(content) // 2])


def missing(request):
    request.send_error(404)


@pytest.fixture
def serving(monkeypatch):
    """Return a function that starts a server with this answer, and makes the data sets expect its files."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with contextlib.ExitStack() as stack:

        def start(answer):
            asked = []

            def counted(request):
                asked.append(request.path)
                answer(request)

            tiny.install(monkeypatch, FILES, stack.enter_context(tiny.serve(counted)))
            return asked

        yield start


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_what_was_fetched_loads(serving, tmp_path):
    asked = serving(honest)
    for name in ("mnist", "omniglot", "cifar10"):
        paths = fetch(name, tmp_path)
        assert [path.parent for path in paths] == [tmp_path] * len(paths)
    assert names_in(tmp_path) == sorted(FILES)
    assert all((tmp_path / name).read_bytes() == content for name, content in FILES.items())
    for dataset in ("mnist/static", "mnist/dynamic", "omniglot/dynamic", "cifar10/raw"):
        assert len(data.load(dataset, tmp_path).train)
    before = len(asked)
    fetch("mnist", tmp_path)
    assert len(asked) == before == len(FILES)


def test_names_and_their_files(serving, tmp_path):
    assert {name: tuple(file.name for file in files) for name, files in fetchable().items()} == {
        "mnist": ALL_OF_MNIST + STATIC_MNIST,
        "mnist/static": STATIC_MNIST,
        "omniglot": ("chardata.mat",),
        "cifar10": ("cifar-10-python.tar.gz",),
    }
    serving(honest)
    fetch("mnist/static", tmp_path)
    assert names_in(tmp_path) == sorted(STATIC_MNIST)
    with pytest.raises(DataError, match="must be one of mnist, mnist/static, omniglot, cifar10, got 'mnist10k'"):
        fetch("mnist10k", tmp_path)
    with pytest.raises(DataError, match="the data directory must exist, got "):
        fetch("mnist", tmp_path / "nowhere")


def test_a_compressed_file_is_not_unpacked_on_the_way(serving, tmp_path):
    serving(gzip_as_encoding)
    fetch("cifar10", tmp_path)
    assert (tmp_path / "cifar-10-python.tar.gz").read_bytes() == FILES["cifar-10-python.tar.gz"]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (another, "/chardata.mat: md5 must be "),
        (cut, "/chardata.mat: must be a file that can be downloaded to "),
        (missing, "got 404 Client Error"),
    ],
)
def test_a_download_that_fails_leaves_nothing(serving, tmp_path, answer, message):
    serving(answer)
    with pytest.raises(DataError) as caught:
        fetch("omniglot", tmp_path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert names_in(tmp_path) == []


def test_no_server_is_one_line(monkeypatch, tmp_path):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with tiny.serve(honest) as gone:
        pass
    tiny.install(monkeypatch, FILES, gone)
    with pytest.raises(DataError, match="must be a file that can be downloaded to"):
        fetch("cifar10", tmp_path)
    assert names_in(tmp_path) == []


class InterruptingBar:
    """A progress bar at whose first movement the user stops the program."""

    total = 0

    def update(self, _):
        raise KeyboardInterrupt


def test_an_interrupted_download_leaves_nothing(serving, tmp_path):
    serving(honest)
    seen = []

    def bar(file):
        seen.append(names_in(tmp_path))
        return InterruptingBar()

    with pytest.raises(KeyboardInterrupt):
        fetch("cifar10", tmp_path, bar)
    assert len(seen[0]) == 1
    assert names_in(tmp_path) == []


def test_files_before_a_failure_stay_and_are_not_fetched_again(serving, tmp_path):
    serving(lambda request: (missing if "valid" in request.path else honest)(request))
    with pytest.raises(DataError, match=r"binarized_mnist_valid\.amat"):
        fetch("mnist/static", tmp_path)
    assert names_in(tmp_path) == ["binarized_mnist_train.amat"]
    asked = serving(honest)
    fetch("mnist/static", tmp_path)
    assert asked == ["/binarized_mnist_valid.amat", "/binarized_mnist_test.amat"]


def test_a_file_of_the_user_is_never_replaced(serving, tmp_path):
    asked = serving(honest)
    own = tmp_path / "chardata.mat"
    own.write_bytes(b"mine")
    with pytest.raises(DataError, match=r"chardata\.mat: md5 must be .*; remove it to fetch it anew"):
        fetch("omniglot", tmp_path)
    assert own.read_bytes() == b"mine"
    assert asked == []


def test_loading_asks_no_server(serving, tmp_path):
    asked = serving(honest)
    with pytest.raises(DataError, match=r"chardata\.mat must exist"):
        data.load("omniglot/raw", tmp_path)
    data.describe(tmp_path)
    assert asked == []
