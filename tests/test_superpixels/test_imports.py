import subprocess
import sys


def test_heavy_packages_are_imported_on_use_only():
    code = ('import sys; import mmhierseg.superpixels; '
            "heavy = {'cv2', 'skimage', 'torchvision', 'mmcv'}; "
            'print(sorted(heavy & set(sys.modules)))')
    result = subprocess.run([sys.executable, '-c', code],
                            capture_output=True,
                            text=True,
                            check=True)
    assert result.stdout.strip() == '[]'
