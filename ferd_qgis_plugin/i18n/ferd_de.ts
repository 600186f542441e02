<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="de" sourcelanguage="en">
  <context>
    <name>FERD</name>
    <message>
      <source>FERD needs {packages}, which the Python of this QGIS lacks: add it with the installer that brought QGIS (OSGeo4W setup, or on Debian and Ubuntu: apt install python3-scipy), then start QGIS again.</source>
      <translation>FERD braucht {packages}; das fehlt dem Python dieses QGIS: bitte mit dem Installationsprogramm ergänzen, mit dem QGIS kam (OSGeo4W-Setup oder unter Debian und Ubuntu: apt install python3-scipy), und QGIS neu starten.</translation>
    </message>
    <message>
      <source>The no-data settings in the properties of layer '{layer}' are ranges or several values, which are not used; that of its file is.</source>
      <translation>Die NoData-Angaben in den Eigenschaften des Layers „{layer}“ sind Bereiche oder mehrere Werte und werden nicht verwendet, wohl aber die der Datei.</translation>
    </message>
    <message>
      <source>The output {path} is the input itself: choose another name.</source>
      <translation>Die Ausgabe {path} ist die Eingabe selbst: bitte einen anderen Namen wählen.</translation>
    </message>
    <message>
      <source>Cancelled; nothing was written.</source>
      <translation>Abgebrochen; nichts wurde geschrieben.</translation>
    </message>
    <message>
      <source>Threshold (such as percentile:99.5)</source>
      <translation>Schwellwert (etwa percentile:99.5)</translation>
    </message>
    <message>
      <source>Neighbours that hold an object together</source>
      <translation>Nachbarschaft, die ein Objekt zusammenhält</translation>
    </message>
    <message>
      <source>Smallest object (pixels)</source>
      <translation>Kleinstes Objekt (Pixel)</translation>
    </message>
    <message>
      <source>Anomaly mask</source>
      <translation>Anomaliemaske</translation>
    </message>
    <message>
      <source>Anomaly polygons</source>
      <translation>Anomaliepolygone</translation>
    </message>
    <message>
      <source>Anomaly score</source>
      <translation>Anomaliewerte</translation>
    </message>
    <message>
      <source>Truth (raster)</source>
      <translation>Referenz (Raster)</translation>
    </message>
    <message>
      <source>Truth (polygons)</source>
      <translation>Referenz (Polygone)</translation>
    </message>
    <message>
      <source>Report</source>
      <translation>Bericht</translation>
    </message>
    <message>
      <source>HTML files (*.html)</source>
      <translation>HTML-Dateien (*.html)</translation>
    </message>
    <message>
      <source>The layer '{layer}' has {count} bands: give a raster of one band.</source>
      <translation>Der Layer „{layer}“ hat {count} Kanäle: bitte ein Raster mit einem Kanal angeben.</translation>
    </message>
    <message>
      <source>The truth is either a raster or a layer of polygons: give one of the two.</source>
      <translation>Die Referenz ist entweder ein Raster oder ein Layer mit Polygonen: bitte eines von beiden angeben.</translation>
    </message>
    <message>
      <source>Enhanced bands</source>
      <translation>Verstärkte Kanäle</translation>
    </message>
    <message>
      <source>Licence of the weights</source>
      <translation>Lizenz der Gewichte</translation>
    </message>
    <message>
      <source>Sensor</source>
      <translation>Sensor</translation>
    </message>
    <message>
      <source>Wavelengths of the bands (nm, comma-separated)</source>
      <translation>Wellenlängen der Kanäle (nm, durch Kommas getrennt)</translation>
    </message>
    <message>
      <source>Folder of the model</source>
      <translation>Ordner des Modells</translation>
    </message>
    <message>
      <source>Name to give it</source>
      <translation>Name, den es bekommt</translation>
    </message>
    <message>
      <source>Replace a model of this name</source>
      <translation>Ein Modell dieses Namens ersetzen</translation>
    </message>
    <message>
      <source>FEN model</source>
      <translation>FEN-Modell</translation>
    </message>
    <message>
      <source>Folder of the installed model</source>
      <translation>Ordner des installierten Modells</translation>
    </message>
    <message>
      <source>Bands that the model takes</source>
      <translation>Kanäle, die das Modell braucht</translation>
    </message>
    <message>
      <source>Cancelled; nothing was installed.</source>
      <translation>Abgebrochen; nichts wurde installiert.</translation>
    </message>
    <message>
      <source>The model {name} for {count} bands is now in {folder}.</source>
      <translation>Das Modell {name} für {count} Kanäle liegt jetzt in {folder}.</translation>
    </message>
    <message>
      <source>The wavelengths {text} are not numbers: write them like 450.5, 460, 470.2.</source>
      <translation>Die Wellenlängen {text} sind keine Zahlen: bitte in der Form 450.5, 460, 470.2 schreiben.</translation>
    </message>
    <message>
      <source>The model in {path} consists of PyTorch files, which another Python must read: name or make one in Settings, Options, FERD.</source>
      <translation>Das Modell in {path} besteht aus PyTorch-Dateien, die ein anderes Python lesen muss: bitte unter Einstellungen, Optionen, FERD eines angeben oder erstellen.</translation>
    </message>
    <message>
      <source>Hyperspectral raster</source>
      <translation>Hyperspektrales Raster</translation>
    </message>
    <message>
      <source>Bands to use (such as 1-50,60 or 400-1300nm)</source>
      <translation>Zu verwendende Kanäle (etwa 1-50,60 oder 400-1300nm)</translation>
    </message>
    <message>
      <source>Band selection</source>
      <translation>Kanalauswahl</translation>
    </message>
    <message>
      <source>Scaling</source>
      <translation>Skalierung</translation>
    </message>
    <message>
      <source>Mask</source>
      <translation>Maske</translation>
    </message>
    <message>
      <source>Region (polygons)</source>
      <translation>Gebiet (Polygone)</translation>
    </message>
    <message>
      <source>Memory budget (MiB)</source>
      <translation>Arbeitsspeicher (MiB)</translation>
    </message>
    <message>
      <source>Backend</source>
      <translation>Backend</translation>
    </message>
    <message>
      <source>Device of the PyTorch worker</source>
      <translation>Gerät des PyTorch-Workers</translation>
    </message>
    <message>
      <source>Detector</source>
      <translation>Detektor</translation>
    </message>
    <message>
      <source>Preset, in place of a detector</source>
      <translation>Voreinstellung anstelle eines Detektors</translation>
    </message>
    <message>
      <source>Enhance with FEN first</source>
      <translation>Zuerst mit FEN verstärken</translation>
    </message>
    <message>
      <source>Background (raster or polygons)</source>
      <translation>Hintergrund (Raster oder Polygone)</translation>
    </message>
    <message>
      <source>Options of the detector: {options}</source>
      <translation>Optionen des Detektors: {options}</translation>
    </message>
    <message>
      <source>The detector {detector} compares a pixel with what lies around it alone, so a background is of no use to it: choose another detector, or leave pixels out with a mask or a region.</source>
      <translation>Der Detektor {detector} vergleicht ein Pixel nur mit dem, was um es herum liegt; ein Hintergrund nützt ihm nichts: bitte einen anderen Detektor wählen oder Pixel mit einer Maske oder Region auslassen.</translation>
    </message>
    <message>
      <source>Block side of SLRX (pixels)</source>
      <translation>Blockseite von SLRX (Pixel)</translation>
    </message>
    <message>
      <source>Covariance (such as ledoit-wolf or pca:20)</source>
      <translation>Kovarianz (etwa ledoit-wolf oder pca:20)</translation>
    </message>
    <message>
      <source>Components of fusion (such as raw:grx:oas,fen:grx)</source>
      <translation>Bestandteile von fusion (etwa raw:grx:oas,fen:grx)</translation>
    </message>
    <message>
      <source>Mean of GRX</source>
      <translation>Mittelwert von GRX</translation>
    </message>
    <message>
      <source>Inner window (odd number of pixels)</source>
      <translation>Inneres Fenster (ungerade Zahl von Pixeln)</translation>
    </message>
    <message>
      <source>Outer window (odd number of pixels)</source>
      <translation>Äußeres Fenster (ungerade Zahl von Pixeln)</translation>
    </message>
    <message>
      <source>Hyperspectral raster for mean spectra</source>
      <translation>Hyperspektrales Raster für mittlere Spektren</translation>
    </message>
    <message>
      <source>Score of the threshold</source>
      <translation>Anomaliewert am Schwellwert</translation>
    </message>
    <message>
      <source>Pixels above the threshold</source>
      <translation>Pixel über dem Schwellwert</translation>
    </message>
    <message>
      <source>Objects above the threshold</source>
      <translation>Objekte über dem Schwellwert</translation>
    </message>
    <message>
      <source>The layer '{layer}' has {count} bands: give a score raster, which has one.</source>
      <translation>Der Layer „{layer}“ hat {count} Kanäle: bitte ein Raster von Anomaliewerten angeben, es hat nur einen.</translation>
    </message>
    <message>
      <source>Nothing would be made: choose the mask, the polygons or both.</source>
      <translation>So würde nichts erzeugt: bitte die Maske, die Polygone oder beides wählen.</translation>
    </message>
    <message>
      <source>Evaluate Scores</source>
      <translation>Anomaliewerte bewerten</translation>
    </message>
    <message>
      <source>Anomaly detection</source>
      <translation>Anomalieerkennung</translation>
    </message>
    <message>
      <source>Measures how well a score raster tells known anomalies from background.</source>
      <translation>Misst, wie gut ein Raster von Anomaliewerten bekannte Anomalien vom Hintergrund trennt.</translation>
    </message>
    <message>
      <source>Compares a score raster with a truth, pixel by pixel: the area under the ROC curve, AUC = P(s&lt;sub&gt;a&lt;/sub&gt; &amp;gt; s&lt;sub&gt;b&lt;/sub&gt;) + ½ P(s&lt;sub&gt;a&lt;/sub&gt; = s&lt;sub&gt;b&lt;/sub&gt;), the probability that the score of an anomaly is higher than that of a background pixel, ties counted half; the average precision Σ (R&lt;sub&gt;i&lt;/sub&gt; − R&lt;sub&gt;i−1&lt;/sub&gt;) P&lt;sub&gt;i&lt;/sub&gt; over recall R and precision P; and the share of anomalies that are found at false-alarm rates of 0.0001, 0.001 and 0.01.</source>
      <translation>Vergleicht ein Raster von Anomaliewerten Pixel für Pixel mit einer Referenz: die Fläche unter der ROC-Kurve, AUC = P(s&lt;sub&gt;a&lt;/sub&gt; &amp;gt; s&lt;sub&gt;b&lt;/sub&gt;) + ½ P(s&lt;sub&gt;a&lt;/sub&gt; = s&lt;sub&gt;b&lt;/sub&gt;), die Wahrscheinlichkeit, dass der Wert einer Anomalie höher ist als der eines Hintergrundpixels, Gleichstände halb gezählt; die mittlere Genauigkeit Σ (R&lt;sub&gt;i&lt;/sub&gt; − R&lt;sub&gt;i−1&lt;/sub&gt;) P&lt;sub&gt;i&lt;/sub&gt; über Trefferquote R und Genauigkeit P; und den Anteil der Anomalien, die bei Falschalarmraten von 0.0001, 0.001 und 0.01 gefunden werden.</translation>
    </message>
    <message>
      <source>Pixels without a score or without a truth are left out. The numbers stand in the log.</source>
      <translation>Pixel ohne Anomaliewert oder ohne Referenz bleiben außer Betracht. Die Zahlen stehen im Protokoll.</translation>
    </message>
    <message>
      <source>Accuracy on real scenes</source>
      <translation>Genauigkeit auf echten Szenen</translation>
    </message>
    <message>
      <source>A raster of one band: the higher the value, the more anomalous the pixel.</source>
      <translation>Ein Raster mit einem Kanal: je höher der Wert, desto auffälliger das Pixel.</translation>
    </message>
    <message>
      <source>A raster of the same size: above 0 is an anomaly, 0 is background, nodata is left out.</source>
      <translation>Ein Raster derselben Größe: über 0 ist Anomalie, 0 ist Hintergrund, NoData bleibt außer Betracht.</translation>
    </message>
    <message>
      <source>In place of a raster: polygons around the anomalies, in any projection. Pixels whose centre lies in one are anomalies, all others background.</source>
      <translation>Anstelle eines Rasters: Polygone um die Anomalien, in beliebiger Projektion. Pixel, deren Mittelpunkt in einem liegt, sind Anomalien, alle anderen Hintergrund.</translation>
    </message>
    <message>
      <source>A page (.html, all in one file) with the ROC curve, the separation of the scores, a map of what is found and missed, and all figures with their formulas.</source>
      <translation>Eine Seite (.html, alles in einer Datei) mit der ROC-Kurve, der Trennung der Anomaliewerte, einer Karte von Gefundenem und Übersehenem und allen Kennzahlen mit ihren Formeln.</translation>
    </message>
    <message>
      <source>FEN Enhance</source>
      <translation>FEN-Verstärkung</translation>
    </message>
    <message>
      <source>Feature enhancement</source>
      <translation>Merkmalsverstärkung</translation>
    </message>
    <message>
      <source>Enhances the background of a hyperspectral raster with the Feature Enhancement Network.</source>
      <translation>Verstärkt mit dem Feature Enhancement Network den Hintergrund eines hyperspektralen Rasters.</translation>
    </message>
    <message>
      <source>Runs the Feature Enhancement Network (FEN) over a hyperspectral raster. The result has as many bands as the model and lies on the input's grid; anomaly detectors separate targets from background better on it than on the raw bands.</source>
      <translation>Wendet das Feature Enhancement Network (FEN) auf ein hyperspektrales Raster an. Das Ergebnis hat so viele Kanäle wie das Modell und liegt im Gitter der Eingabe; Anomaliedetektoren trennen Ziele darauf besser vom Hintergrund als auf den unveränderten Kanälen.</translation>
    </message>
    <message>
      <source>The result is FEN(x) + x, where x are the chosen bands scaled to −0.1 to 0.1: ((value − min) / (max − min) · 2 − 1) · 0.1, with min and max of all valid values of the scene. It has no unit.</source>
      <translation>Das Ergebnis ist FEN(x) + x; x sind die gewählten Kanäle, auf −0.1 bis 0.1 skaliert: ((Wert − min) / (max − min) · 2 − 1) · 0.1, mit min und max aller gültigen Werte der Szene. Es hat keine Einheit.</translation>
    </message>
    <message>
      <source>FEN is a convolutional network with a receptive field of 3 pixels on each side. It runs in NumPy inside QGIS, where nothing has to be installed, or in a PyTorch worker, which is faster and can use a graphics card.</source>
      <translation>FEN ist ein faltendes neuronales Netz mit einem rezeptiven Feld von 3 Pixeln nach jeder Seite. Es läuft mit NumPy in QGIS, wo nichts zu installieren ist, oder in einem PyTorch-Worker, der schneller ist und eine Grafikkarte nutzen kann.</translation>
    </message>
    <message>
      <source>Models</source>
      <translation>Modelle</translation>
    </message>
    <message>
      <source>How FEN works</source>
      <translation>Wie FEN arbeitet</translation>
    </message>
    <message>
      <source>Import FEN Model</source>
      <translation>FEN-Modell importieren</translation>
    </message>
    <message>
      <source>Installs a model of the Feature Enhancement Network, to be chosen by its name.</source>
      <translation>Installiert ein Modell des Feature Enhancement Network, das dann beim Namen gewählt wird.</translation>
    </message>
    <message>
      <source>Takes a folder (or one of its folders) with a model of FERD (model.json, weights.safetensors), a safetensors file, the published weights (convh.pt, enc.pt, pc.pt), or the TorchScript files of a hub (cwl_script.pt, rnl_script.pt, fpl_script.pt). The model is then offered in the other algorithms.</source>
      <translation>Nimmt einen Ordner (oder einen seiner Unterordner) mit einem Modell von FERD (model.json, weights.safetensors), einer safetensors-Datei, den veröffentlichten Gewichten (convh.pt, enc.pt, pc.pt) oder den TorchScript-Dateien eines Hubs (cwl_script.pt, rnl_script.pt, fpl_script.pt). Das Modell steht dann in den anderen Algorithmen zur Wahl.</translation>
    </message>
    <message>
      <source>PyTorch files are read by the PyTorch worker alone, in a process of its own, after a check that they hold tensors and no code. The network built from them must give what the files' own gives on a probe; else nothing is installed.</source>
      <translation>PyTorch-Dateien liest nur der PyTorch-Worker, in einem eigenen Prozess und nach einer Prüfung, dass sie Tensoren und keinen Code enthalten. Das daraus gebaute Netz muss auf einer Probe dasselbe ergeben wie das der Dateien; sonst wird nichts installiert.</translation>
    </message>
    <message>
      <source>The folder in which the files of one model lie, at most three levels deep.</source>
      <translation>Der Ordner, in dem die Dateien eines Modells liegen, höchstens drei Ebenen tief.</translation>
    </message>
    <message>
      <source>The name that the other algorithms will offer: letters, digits, dots, dashes, underscores.</source>
      <translation>Der Name, den die anderen Algorithmen anbieten werden: Buchstaben, Ziffern, Punkte, Binde- und Unterstriche.</translation>
    </message>
    <message>
      <source>Put the model into the place of an imported one of the same name.</source>
      <translation>Das Modell an die Stelle eines importierten mit demselben Namen setzen.</translation>
    </message>
    <message>
      <source>What the model's card says of the licence. Empty: not stated.</source>
      <translation>Was die Modellkarte zur Lizenz sagt. Leer: keine Angabe.</translation>
    </message>
    <message>
      <source>What the model's card says of the sensor, such as AVIRIS-NG or EnMAP.</source>
      <translation>Was die Modellkarte zum Sensor sagt, etwa AVIRIS-NG oder EnMAP.</translation>
    </message>
    <message>
      <source>The centres of the bands that the model was trained on, in nanometres, as many as it has bands. With them, bands of a raster are chosen by wavelength. A model of FERD brings its own.</source>
      <translation>Die Mittenwellenlängen der Kanäle, mit denen das Modell trainiert wurde, in Nanometern, so viele, wie es Kanäle hat. Mit ihnen werden die Kanäle eines Rasters nach Wellenlänge gewählt. Ein Modell von FERD bringt sie mit.</translation>
    </message>
    <message>
      <source>Parameters</source>
      <translation>Parameter</translation>
    </message>
    <message>
      <source>References</source>
      <translation>Literatur</translation>
    </message>
    <message>
      <source>Documentation</source>
      <translation>Dokumentation</translation>
    </message>
    <message>
      <source>FERD in QGIS</source>
      <translation>FERD in QGIS</translation>
    </message>
    <message>
      <source>From Scene to Anomaly Polygons</source>
      <translation>Von der Szene zu Anomaliepolygonen</translation>
    </message>
    <message>
      <source>Workflows</source>
      <translation>Arbeitsabläufe</translation>
    </message>
    <message>
      <source>Threshold</source>
      <translation>Schwellwert</translation>
    </message>
    <message>
      <source>Enhances a hyperspectral raster with the Feature Enhancement Network, scores every pixel with a detector of the RX family, and draws the pixels above a threshold as polygons with their largest score and mean spectrum.</source>
      <translation>Verstärkt ein hyperspektrales Raster mit dem Feature Enhancement Network, gibt jedem Pixel mit einem Detektor der RX-Familie einen Anomaliewert und zeichnet die Pixel über einem Schwellwert als Polygone mit größtem Anomaliewert und mittlerem Spektrum.</translation>
    </message>
    <message>
      <source>Enhances a hyperspectral raster, detects anomalies and draws them as polygons.</source>
      <translation>Verstärkt ein hyperspektrales Raster, erkennt Anomalien und zeichnet sie als Polygone.</translation>
    </message>
    <message>
      <source>A raster file with many spectral bands.</source>
      <translation>Eine Rasterdatei mit vielen Spektralkanälen.</translation>
    </message>
    <message>
      <source>The FEN model: auto, a name, or a folder.</source>
      <translation>Das FEN-Modell: auto, ein Name oder ein Ordner.</translation>
    </message>
    <message>
      <source>grx: one background for the whole scene. slrx: blocks, their neighbours and the scene. lrx, crd, qlrx: the ring around each pixel. aed: small bright or dark objects. utd, rxd-utd: ENVI's, weak. fusion takes the raw bands too: see RX Anomaly Detection.</source>
      <translation>grx: ein Hintergrund für die ganze Szene. slrx: Blöcke, ihre Nachbarn und die Szene. lrx, crd, qlrx: der Ring um jedes Pixel. aed: kleine helle oder dunkle Objekte. utd, rxd-utd: die von ENVI, schwach. fusion braucht auch die unveränderten Kanäle: siehe RX-Anomalieerkennung.</translation>
    </message>
    <message>
      <source>A setting that is fixed for all scenes: fast (global RX) or balanced (global RX without the farthest pixels). Not set: the detector above. best takes the raw bands too: see RX Anomaly Detection.</source>
      <translation>Eine für alle Szenen feste Einstellung: fast (globales RX) oder balanced (globales RX ohne die entferntesten Pixel). Nicht gesetzt: der Detektor oben. best braucht auch die unveränderten Kanäle: siehe RX-Anomalieerkennung.</translation>
    </message>
    <message>
      <source>What scores must exceed: percentile:P, count:N, value:V, pareto:R or chi2:P.</source>
      <translation>Was die Anomaliewerte übersteigen müssen: percentile:P, count:N, value:V, pareto:R oder chi2:P.</translation>
    </message>
    <message>
      <source>The anomaly score, one Float32 band.</source>
      <translation>Die Anomaliewerte, ein Kanal in Float32.</translation>
    </message>
    <message>
      <source>The objects above the threshold, .gpkg or .geojson.</source>
      <translation>Die Objekte über dem Schwellwert, .gpkg oder .geojson.</translation>
    </message>
    <message>
      <source>FERD for QGIS contributors</source>
      <translation>Mitwirkende von FERD for QGIS</translation>
    </message>
    <message>
      <source>RX Anomaly Detection</source>
      <translation>RX-Anomalieerkennung</translation>
    </message>
    <message>
      <source>Scores how little each pixel's spectrum belongs to its background.</source>
      <translation>Bewertet, wie wenig das Spektrum jedes Pixels zu seinem Hintergrund gehört.</translation>
    </message>
    <message>
      <source>Gives every pixel of a hyperspectral raster an anomaly score: the higher, the less its spectrum belongs to the background. By default the raster is first enhanced with the Feature Enhancement Network (FEN).</source>
      <translation>Gibt jedem Pixel eines hyperspektralen Rasters einen Anomaliewert: je höher, desto weniger gehört sein Spektrum zum Hintergrund. In der Vorgabe wird das Raster zuerst mit dem Feature Enhancement Network (FEN) verstärkt.</translation>
    </message>
    <message>
      <source>&lt;b&gt;grx&lt;/b&gt;, global RX: (x − μ)&lt;sup&gt;T&lt;/sup&gt; Σ&lt;sup&gt;−1&lt;/sup&gt; (x − μ), the squared Mahalanobis distance of a pixel x to the mean μ and covariance Σ of all valid pixels. One background for the whole scene; the right first choice.</source>
      <translation>&lt;b&gt;grx&lt;/b&gt;, globales RX: (x − μ)&lt;sup&gt;T&lt;/sup&gt; Σ&lt;sup&gt;−1&lt;/sup&gt; (x − μ), die quadrierte Mahalanobis-Distanz eines Pixels x zu Mittelwert μ und Kovarianz Σ aller gültigen Pixel. Ein Hintergrund für die ganze Szene; die richtige erste Wahl.</translation>
    </message>
    <message>
      <source>&lt;b&gt;slrx&lt;/b&gt;, fixed-patch local RX: d&lt;sub&gt;1&lt;/sub&gt; d&lt;sub&gt;2&lt;/sub&gt; d&lt;sub&gt;3&lt;/sub&gt;, the product of three distances d = √((x − μ)&lt;sup&gt;T&lt;/sup&gt; (Σ + 10&lt;sup&gt;−6&lt;/sup&gt; I)&lt;sup&gt;−1&lt;/sup&gt; (x − μ)), each scaled to 0-1: to the pixel's own block, to the up to eight blocks around it, and to the whole scene. For scenes whose background changes from place to place.</source>
      <translation>&lt;b&gt;slrx&lt;/b&gt;, lokales RX in festen Blöcken: d&lt;sub&gt;1&lt;/sub&gt; d&lt;sub&gt;2&lt;/sub&gt; d&lt;sub&gt;3&lt;/sub&gt;, das Produkt dreier Abstände d = √((x − μ)&lt;sup&gt;T&lt;/sup&gt; (Σ + 10&lt;sup&gt;−6&lt;/sup&gt; I)&lt;sup&gt;−1&lt;/sup&gt; (x − μ)), jeder auf 0-1 skaliert: zum eigenen Block des Pixels, zu den bis zu acht Blöcken ringsum und zur ganzen Szene. Für Szenen, deren Hintergrund sich von Ort zu Ort ändert.</translation>
    </message>
    <message>
      <source>&lt;b&gt;lrx&lt;/b&gt;, dual-window local RX: the distance of grx to the mean and covariance of the ring between an inner and an outer window around the pixel. &lt;b&gt;crd&lt;/b&gt;, collaborative representation: |x − Xw|, the length of what the pixels X of that ring cannot represent with weights w = (X&lt;sup&gt;T&lt;/sup&gt;X + 10&lt;sup&gt;−6&lt;/sup&gt; Γ&lt;sup&gt;2&lt;/sup&gt;)&lt;sup&gt;−1&lt;/sup&gt; X&lt;sup&gt;T&lt;/sup&gt;x, which Γ keeps small for pixels unlike x. For small objects on changing backgrounds; slower.</source>
      <translation>&lt;b&gt;lrx&lt;/b&gt;, lokales RX mit zwei Fenstern: der Abstand von grx zu Mittel und Kovarianz des Rings zwischen einem inneren und einem äußeren Fenster um das Pixel. &lt;b&gt;crd&lt;/b&gt;, kollaborative Darstellung: |x − Xw|, die Länge dessen, was die Pixel X dieses Rings nicht darstellen können, mit Gewichten w = (X&lt;sup&gt;T&lt;/sup&gt;X + 10&lt;sup&gt;−6&lt;/sup&gt; Γ&lt;sup&gt;2&lt;/sup&gt;)&lt;sup&gt;−1&lt;/sup&gt; X&lt;sup&gt;T&lt;/sup&gt;x, die Γ für Pixel klein hält, die x nicht gleichen. Für kleine Objekte auf wechselndem Hintergrund; langsamer.</translation>
    </message>
    <message>
      <source>&lt;b&gt;qlrx&lt;/b&gt;, quasi-local RX: the sum of (e&lt;sup&gt;T&lt;/sup&gt;(x − μ))&lt;sup&gt;2&lt;/sup&gt; / v over the principal directions e of the whole scene, mean μ and variance v along them of the ring; much faster than lrx. &lt;b&gt;utd&lt;/b&gt;, (1 − μ)&lt;sup&gt;T&lt;/sup&gt; Σ&lt;sup&gt;−1&lt;/sup&gt; (x − μ), and &lt;b&gt;rxd-utd&lt;/b&gt;, grx less utd, are ENVI's relatives of RX with a spectrum of ones, weak, for comparison.</source>
      <translation>&lt;b&gt;qlrx&lt;/b&gt;, quasi-lokales RX: die Summe von (e&lt;sup&gt;T&lt;/sup&gt;(x − μ))&lt;sup&gt;2&lt;/sup&gt; / v über die Hauptrichtungen e der ganzen Szene, mit Mittel μ und Varianz v des Rings entlang ihnen; viel schneller als lrx. &lt;b&gt;utd&lt;/b&gt;, (1 − μ)&lt;sup&gt;T&lt;/sup&gt; Σ&lt;sup&gt;−1&lt;/sup&gt; (x − μ), und &lt;b&gt;rxd-utd&lt;/b&gt;, grx weniger utd, sind Verwandte von RX in ENVI mit einem Spektrum aus Einsen, schwach, zum Vergleich.</translation>
    </message>
    <message>
      <source>&lt;b&gt;aed&lt;/b&gt;, attribute and edge-preserving filters: the sum over the leading principal components f, in standard deviations, of (f − opening) + (closing − f) by area, averaged within the edges of the components. For small bright or dark objects on the raw bands (Enhance off), in little time; blind to what is larger than its size limit or stands out in other components.</source>
      <translation>&lt;b&gt;aed&lt;/b&gt;, Attribut- und kantenerhaltende Filter: die Summe über die ersten Hauptkomponenten f, in Standardabweichungen, von (f − Öffnung) + (Schließung − f) nach Fläche, gemittelt innerhalb der Kanten der Komponenten. Für kleine helle oder dunkle Objekte auf den unveränderten Kanälen (Verstärken aus), in kurzer Zeit; blind für das, was größer als seine Grenze ist oder in anderen Komponenten auffällt.</translation>
    </message>
    <message>
      <source>&lt;b&gt;fusion&lt;/b&gt;: the sum of the logarithms of several detectors' scores, on the raw and on the enhanced bands. The most reliable where no single detector is known to suit the scene; the slowest. It is what the preset best takes.</source>
      <translation>&lt;b&gt;fusion&lt;/b&gt;: die Summe der Logarithmen der Werte mehrerer Detektoren, auf den unveränderten und den verstärkten Kanälen. Am verlässlichsten, wo von keinem einzelnen Detektor bekannt ist, dass er zur Szene passt; am langsamsten. Die Voreinstellung best nimmt sie.</translation>
    </message>
    <message>
      <source>Cost, in floating-point operations per pixel of B bands: grx and rxd-utd 2 B&lt;sup&gt;2&lt;/sup&gt;, utd B&lt;sup&gt;2&lt;/sup&gt;, qlrx 3 B&lt;sup&gt;2&lt;/sup&gt; + 30 B; slrx with blocks of m pixels 27 m B + 245 m&lt;sup&gt;2&lt;/sup&gt; while 8 m ≤ B, else 5 B&lt;sup&gt;2&lt;/sup&gt; + B&lt;sup&gt;3&lt;/sup&gt; / m; lrx B&lt;sup&gt;3&lt;/sup&gt; / 3 and some 10 to 20 B&lt;sup&gt;2&lt;/sup&gt;; crd 16 outer&lt;sup&gt;2&lt;/sup&gt; B + n&lt;sup&gt;3&lt;/sup&gt; / 3 for n pixels in the ring; aed B&lt;sup&gt;2&lt;/sup&gt; and some microseconds; fusion that of its components. FEN takes 500,000 to 700,000.</source>
      <translation>Aufwand, in Gleitkommaoperationen je Pixel bei B Kanälen: grx und rxd-utd 2 B&lt;sup&gt;2&lt;/sup&gt;, utd B&lt;sup&gt;2&lt;/sup&gt;, qlrx 3 B&lt;sup&gt;2&lt;/sup&gt; + 30 B; slrx mit Blöcken aus m Pixeln 27 m B + 245 m&lt;sup&gt;2&lt;/sup&gt;, solange 8 m ≤ B, sonst 5 B&lt;sup&gt;2&lt;/sup&gt; + B&lt;sup&gt;3&lt;/sup&gt; / m; lrx B&lt;sup&gt;3&lt;/sup&gt; / 3 und etwa 10 bis 20 B&lt;sup&gt;2&lt;/sup&gt;; crd 16 outer&lt;sup&gt;2&lt;/sup&gt; B + n&lt;sup&gt;3&lt;/sup&gt; / 3 bei n Pixeln im Ring; aed B&lt;sup&gt;2&lt;/sup&gt; und einige Mikrosekunden; fusion das seiner Bestandteile. FEN braucht 500.000 bis 700.000.</translation>
    </message>
    <message>
      <source>A threshold turns scores into decisions: a mask raster, and polygons of connected pixels with their number of pixels, area, largest and mean score, peak and mean spectrum.</source>
      <translation>Ein Schwellwert macht aus Anomaliewerten Entscheidungen: ein Maskenraster und Polygone zusammenhängender Pixel mit Pixelzahl, Fläche, größtem und mittlerem Anomaliewert, Ort des Maximums und mittlerem Spektrum.</translation>
    </message>
    <message>
      <source>Nodata pixels, NaN, masked pixels and bad bands take part in no statistic; they are nodata in the score. The score has no unit: rank and compare it within one scene only.</source>
      <translation>NoData-Pixel, NaN, maskierte Pixel und unbrauchbare Kanäle gehen in keine Statistik ein; solche Pixel sind im Ergebnis NoData. Der Anomaliewert hat keine Einheit: Ordnen und vergleichen lässt er sich nur innerhalb einer Szene.</translation>
    </message>
    <message>
      <source>Detectors, covariances, thresholds</source>
      <translation>Detektoren, Kovarianzen, Schwellwerte</translation>
    </message>
    <message>
      <source>The detector: grx (one background for the whole scene), slrx (blocks, their neighbours and the scene), lrx (the ring around each pixel; slower), crd (what the ring cannot represent; slower), qlrx (the ring's variances in the scene's directions; fast), aed (small bright or dark objects; fast) or fusion (the sum of the log scores of several detectors, on raw and enhanced bands). utd and rxd-utd: ENVI's, weak.</source>
      <translation>Der Detektor: grx (ein Hintergrund für die ganze Szene), slrx (Blöcke, ihre Nachbarn und die Szene), lrx (der Ring um jedes Pixel; langsamer), crd (was der Ring nicht darstellen kann; langsamer), qlrx (die Varianzen des Rings in den Richtungen der Szene; schnell), aed (kleine helle oder dunkle Objekte; schnell) oder fusion (die Summe der logarithmierten Werte mehrerer Detektoren, auf unveränderten und verstärkten Kanälen). utd und rxd-utd: die von ENVI, schwach.</translation>
    </message>
    <message>
      <source>A setting that is fixed for all scenes, in place of a detector and its options: fast (global RX), balanced (global RX without the farthest pixels) or best (global and local RX on both, and small objects; slow). Not set: the detector above.</source>
      <translation>Eine für alle Szenen feste Einstellung anstelle eines Detektors und seiner Optionen: fast (globales RX), balanced (globales RX ohne die entferntesten Pixel) oder best (globales und lokales RX auf beidem, dazu kleine Objekte; langsam). Nicht gesetzt: der Detektor oben.</translation>
    </message>
    <message>
      <source>Enhance the bands with FEN before detection. Off: the detector sees the raw bands, which is much faster and usually less sharp.</source>
      <translation>Die Kanäle vor der Erkennung mit FEN verstärken. Aus: Der Detektor sieht die unveränderten Kanäle; das ist viel schneller und meist weniger scharf.</translation>
    </message>
    <message>
      <source>Not for slrx and crd: mean and covariance come from these pixels alone, and every valid pixel still gets a score. A raster on the input's grid, where it is not 0, or polygons in any projection.</source>
      <translation>Nicht für slrx und crd: Mittel und Kovarianz kommen allein von diesen Pixeln, und jedes gültige Pixel bekommt trotzdem einen Wert. Ein Raster auf dem Gitter der Eingabe, wo es nicht 0 ist, oder Polygone in beliebiger Projektion.</translation>
    </message>
    <message>
      <source>Side of the blocks of slrx in pixels. Empty: the number of rows divided by 25, at least what the statistics need. Only for slrx.</source>
      <translation>Seite der Blöcke von slrx in Pixeln. Leer: die Zahl der Zeilen geteilt durch 25, mindestens was die Statistik braucht. Nur für slrx.</translation>
    </message>
    <message>
      <source>How the covariance is estimated. grx: empirical (default), ledoit-wolf, oas, pca:K (K components) or trimmed:P (without the P per cent farthest pixels). lrx: ledoit-wolf (default), oas, empirical or pca:K. aed: pca:K alone, by default pca:3. Empty: the detector's default; the other detectors have none.</source>
      <translation>Wie die Kovarianz geschätzt wird. grx: empirical (Vorgabe), ledoit-wolf, oas, pca:K (K Hauptkomponenten) oder trimmed:P (ohne die P Prozent entferntesten Pixel). lrx: ledoit-wolf (Vorgabe), oas, empirical oder pca:K. aed: nur pca:K, als Vorgabe pca:3. Leer: die Vorgabe des Detektors; die anderen Detektoren haben keine.</translation>
    </message>
    <message>
      <source>Only for fusion: what is summed, as CUBE:DETECTOR or CUBE:DETECTOR:COVARIANCE, separated by commas; each CUBE is raw or fen (enhanced).</source>
      <translation>Nur für fusion: was summiert wird, als CUBE:DETECTOR oder CUBE:DETECTOR:COVARIANCE, durch Kommas getrennt; jedes CUBE ist raw (unverändert) oder fen (verstärkt).</translation>
    </message>
    <message>
      <source>Only for grx: global (default), or local, the mean of the window around each pixel, for brightness that drifts over the image.</source>
      <translation>Nur für grx: global (Vorgabe) oder local, der Mittelwert im Fenster um jedes Pixel, wenn sich die Helligkeit über das Bild hinweg ändert.</translation>
    </message>
    <message>
      <source>For lrx, crd and qlrx: side of the inner window, which must hold the objects sought and takes no part in the background; odd; empty: 11. For aed: objects have fewer pixels than its square; empty: 5.</source>
      <translation>Für lrx, crd und qlrx: Seite des inneren Fensters, das die gesuchten Objekte fassen muss und nicht zum Hintergrund zählt; ungerade; leer: 11. Für aed: Objekte haben weniger Pixel als ihr Quadrat; leer: 5.</translation>
    </message>
    <message>
      <source>Side of the outer window of lrx, crd and qlrx, or of the window of grx with local mean. Odd; empty: chosen by the detector.</source>
      <translation>Seite des äußeren Fensters von lrx, crd und qlrx oder des Fensters von grx mit lokalem Mittelwert. Ungerade; leer: der Detektor wählt.</translation>
    </message>
    <message>
      <source>The score raster (one Float32 band) on the input's grid and projection. GeoTIFF (.tif) or ENVI (.bsq, .img).</source>
      <translation>Das Raster der Anomaliewerte (ein Kanal in Float32) in Gitter und Projektion der Eingabe. GeoTIFF (.tif) oder ENVI (.bsq, .img).</translation>
    </message>
    <message>
      <source>A raster file with many spectral bands. Wavelengths, bad bands and nodata are read from its metadata. Web services (WMS, WCS, XYZ) cannot be used.</source>
      <translation>Eine Rasterdatei mit vielen Spektralkanälen. Wellenlängen, unbrauchbare Kanäle und NoData werden aus ihren Metadaten gelesen. Webdienste (WMS, WCS, XYZ) sind nicht möglich.</translation>
    </message>
    <message>
      <source>The FEN model: auto (the largest model that the usable bands suffice for), the name of a model, or a folder that holds model.json and weights.safetensors.</source>
      <translation>Das FEN-Modell: auto (das größte Modell, für das die brauchbaren Kanäle reichen), der Name eines Modells oder ein Ordner mit model.json und weights.safetensors.</translation>
    </message>
    <message>
      <source>Bands to choose from: numbers and ranges counted from 1, such as 1-50,60, or wavelengths with their unit, such as 400-1300nm, 1.5-1.75um; both may be mixed. Empty: all. Bad bands are dropped in either case.</source>
      <translation>Kanäle, aus denen gewählt wird: Nummern und Bereiche, gezählt ab 1, etwa 1-50,60, oder Wellenlängen mit ihrer Einheit, etwa 400-1300nm, 1.5-1.75um; beides lässt sich mischen. Leer: alle. Unbrauchbare Kanäle fallen in jedem Fall weg.</translation>
    </message>
    <message>
      <source>How the model's number of bands is picked from the usable ones: first, spread (evenly spaced), wavelength (nearest to the model's wavelengths), or auto (wavelength where both are known, else what the model names).</source>
      <translation>Wie die vom Modell gebrauchte Zahl von Kanälen aus den brauchbaren gewählt wird: first (die ersten), spread (gleichmäßig verteilt), wavelength (am nächsten an den Wellenlängen des Modells) oder auto (wavelength, wo beide bekannt sind, sonst was das Modell nennt).</translation>
    </message>
    <message>
      <source>Range that is scaled for FEN: minmax (minimum and maximum of all valid values) or percentile (0.01 and 99.99 percentiles, for scenes with a few extreme values).</source>
      <translation>Der Wertebereich, der für FEN skaliert wird: minmax (Minimum und Maximum aller gültigen Werte) oder percentile (Perzentile 0,01 und 99,99, für Szenen mit wenigen extremen Werten).</translation>
    </message>
    <message>
      <source>A raster of the same size; pixels that are 0 or nodata in it are left out of the statistics and are nodata in the result.</source>
      <translation>Ein Raster derselben Größe; Pixel, die darin 0 oder NoData sind, fehlen in allen Statistiken und sind im Ergebnis NoData.</translation>
    </message>
    <message>
      <source>A layer of polygons, in any projection: only pixels whose centre lies in one of them take part, all others are nodata in the result. With a mask too, both hold. Selected features alone can be used.</source>
      <translation>Ein Layer mit Polygonen in beliebiger Projektion: Nur Pixel, deren Mittelpunkt in einem davon liegt, nehmen teil, alle anderen sind im Ergebnis NoData. Zusammen mit einer Maske gilt beides. Auch nur gewählte Objekte sind möglich.</translation>
    </message>
    <message>
      <source>How much memory the run may take for its arrays, in MiB. Less memory means smaller blocks and more scratch disk; the result is the same.</source>
      <translation>Wie viel Arbeitsspeicher der Lauf für seine Daten verwenden darf, in MiB. Weniger Speicher bedeutet kleinere Blöcke und mehr Zwischendateien; das Ergebnis ist dasselbe.</translation>
    </message>
    <message>
      <source>What runs FEN: numpy, inside QGIS; torch, the PyTorch worker, another Python that is set up in Settings, Options, FERD; or auto, the worker where there is one, else numpy. Results agree to 1e-4 of the largest value.</source>
      <translation>Was FEN ausführt: numpy, in QGIS; torch, der PyTorch-Worker, ein anderes Python, das unter Einstellungen, Optionen, FERD eingerichtet wird; oder auto, der Worker, wo es einen gibt, sonst numpy. Die Ergebnisse stimmen auf 1e-4 des größten Wertes überein.</translation>
    </message>
    <message>
      <source>Where PyTorch computes: auto (a graphics card that CUDA knows, where there is one), cpu or cuda. Only for the PyTorch worker.</source>
      <translation>Wo PyTorch rechnet: auto (eine Grafikkarte mit CUDA, falls vorhanden), cpu oder cuda. Nur für den PyTorch-Worker.</translation>
    </message>
    <message>
      <source>What scores must exceed: percentile:P (P per cent of the scores lie below), count:N (the N highest pixels), value:V (the score V), pareto:R (a false-alarm rate, by a fit to the upper tail) or chi2:P (the quantile P of normal background; grx and lrx without shrinkage). Empty: percentile:99.5 where a mask or polygons are asked for.</source>
      <translation>Was die Anomaliewerte übersteigen müssen: percentile:P (P Prozent der Werte liegen darunter), count:N (die N höchsten Pixel), value:V (der Wert V), pareto:R (eine Fehlalarmrate, durch Anpassung an das obere Ende der Verteilung) oder chi2:P (das Quantil P von normalem Hintergrund; grx und lrx ohne Shrinkage). Leer: percentile:99.5, wo eine Maske oder Polygone verlangt sind.</translation>
    </message>
    <message>
      <source>Pixels that touch at a side (4), or at a side or a corner (8), belong to one object. Only for the polygons.</source>
      <translation>Pixel, die sich an einer Seite (4) oder an einer Seite oder Ecke (8) berühren, gehören zu einem Objekt. Nur für die Polygone.</translation>
    </message>
    <message>
      <source>Objects of fewer pixels are left out of the polygons.</source>
      <translation>Objekte mit weniger Pixeln kommen nicht in die Polygone.</translation>
    </message>
    <message>
      <source>A raster with 1 above the threshold, 0 not above it and 255 as nodata. GeoTIFF (.tif) or ENVI (.bsq, .img).</source>
      <translation>Ein Raster mit 1 über dem Schwellwert, 0 sonst und 255 als NoData. GeoTIFF (.tif) oder ENVI (.bsq, .img).</translation>
    </message>
    <message>
      <source>The objects above the threshold as GeoPackage (.gpkg) or GeoJSON (.geojson), with the attributes id (fid in a GeoPackage), pixels, area (in squared map units), max_score, mean_score, peak_row and peak_col (counted from 0), peak_x, peak_y and mean_spectrum.</source>
      <translation>Die Objekte über dem Schwellwert als GeoPackage (.gpkg) oder GeoJSON (.geojson) mit den Attributen id (im GeoPackage fid), pixels, area (in quadrierten Karteneinheiten), max_score, mean_score, peak_row und peak_col (ab 0 gezählt), peak_x, peak_y und mean_spectrum.</translation>
    </message>
    <message>
      <source>The enhanced raster (Float32, as many bands as the model) on the input's grid and projection. GeoTIFF (.tif) or ENVI (.bsq, .img).</source>
      <translation>Das verstärkte Raster (Float32, so viele Kanäle wie das Modell) in Gitter und Projektion der Eingabe. GeoTIFF (.tif) oder ENVI (.bsq, .img).</translation>
    </message>
    <message>
      <source>Threshold Anomalies</source>
      <translation>Anomalien per Schwellwert</translation>
    </message>
    <message>
      <source>Makes a mask and polygons of the highest scores of an anomaly score raster.</source>
      <translation>Macht aus den höchsten Werten eines Rasters von Anomaliewerten eine Maske und Polygone.</translation>
    </message>
    <message>
      <source>Marks the pixels whose score is above a threshold, and draws the connected ones as polygons with their number of pixels, area, largest and mean score and peak. It takes seconds, so thresholds can be tried without running the detection again.</source>
      <translation>Markiert die Pixel, deren Anomaliewert über einem Schwellwert liegt, und zeichnet die zusammenhängenden als Polygone mit Pixelzahl, Fläche, größtem und mittlerem Anomaliewert und Ort des Maximums. Es dauert Sekunden, so dass sich Schwellwerte ohne neue Erkennung ausprobieren lassen.</translation>
    </message>
    <message>
      <source>pareto:R is t + a (1 − (R / u)&lt;sup&gt;k&lt;/sup&gt;) / k, where t is the 95th percentile, u the share of scores above it, and a and k are scale and shape of the generalised Pareto distribution that fits what the scores exceed t by.</source>
      <translation>pareto:R ist t + a (1 − (R / u)&lt;sup&gt;k&lt;/sup&gt;) / k; t ist das 95. Perzentil, u der Anteil der Werte darüber, und a und k sind Skala und Form der verallgemeinerten Pareto-Verteilung, die zu dem passt, um was die Werte t überschreiten.</translation>
    </message>
    <message>
      <source>Any raster of one band will do. chi2:P needs a score raster of RX Anomaly Detection, in whose metadata the distribution of normal background stands.</source>
      <translation>Jedes Raster mit einem Kanal ist geeignet. chi2:P braucht Anomaliewerte der RX-Anomalieerkennung, in deren Metadaten die Verteilung des normalen Hintergrunds steht.</translation>
    </message>
    <message>
      <source>The raster that the scores were made of: each polygon gets the mean spectrum of its pixels in the attribute mean_spectrum. Empty: the attribute stays empty.</source>
      <translation>Das Raster, aus dem die Anomaliewerte stammen: Jedes Polygon bekommt im Attribut mean_spectrum das mittlere Spektrum seiner Pixel. Leer: Das Attribut bleibt leer.</translation>
    </message>
    <message>
      <source>Choose the folder of a model</source>
      <translation>Den Ordner eines Modells wählen</translation>
    </message>
    <message>
      <source>CPU (200 MB to fetch, 0.9 GB on disk)</source>
      <translation>CPU (200 MB herunterzuladen, 0,9 GB auf der Platte)</translation>
    </message>
    <message>
      <source>NVIDIA graphics card, CUDA (several GB)</source>
      <translation>NVIDIA-Grafikkarte, CUDA (mehrere GB)</translation>
    </message>
    <message>
      <source>Check</source>
      <translation>Prüfen</translation>
    </message>
    <message>
      <source>Create or Replace</source>
      <translation>Erstellen oder ersetzen</translation>
    </message>
    <message>
      <source>Remove</source>
      <translation>Entfernen</translation>
    </message>
    <message>
      <source>Cancel</source>
      <translation>Abbrechen</translation>
    </message>
    <message>
      <source>named on the settings page</source>
      <translation>auf der Optionsseite benannt</translation>
    </message>
    <message>
      <source>FERD runs inside QGIS with NumPy and needs nothing more. PyTorch in another Python, the worker, is faster, and can use a graphics card. It is taken wherever a backend is auto or torch.</source>
      <translation>FERD läuft mit NumPy in QGIS und braucht nichts weiter. PyTorch in einem anderen Python, dem Worker, ist schneller und kann eine Grafikkarte nutzen. Es wird verwendet, wo das Backend auto oder torch ist.</translation>
    </message>
    <message>
      <source>A Python of your own</source>
      <translation>Ein eigenes Python</translation>
    </message>
    <message>
      <source>Program</source>
      <translation>Programm</translation>
    </message>
    <message>
      <source>Managed environment</source>
      <translation>Verwaltete Umgebung</translation>
    </message>
    <message>
      <source>Folder</source>
      <translation>Ordner</translation>
    </message>
    <message>
      <source>PyTorch for</source>
      <translation>PyTorch für</translation>
    </message>
    <message>
      <source>Install offline from a folder of wheels</source>
      <translation>Offline installieren aus einem Ordner mit Wheels</translation>
    </message>
    <message>
      <source>In use: NumPy inside QGIS.</source>
      <translation>In Gebrauch: NumPy in QGIS.</translation>
    </message>
    <message>
      <source>In use: {path} ({origin}).</source>
      <translation>In Gebrauch: {path} ({origin}).</translation>
    </message>
    <message>
      <source>Check of the PyTorch worker</source>
      <translation>Prüfung des PyTorch-Workers</translation>
    </message>
    <message>
      <source>Environment for PyTorch</source>
      <translation>Umgebung für PyTorch</translation>
    </message>
    <message>
      <source>The managed environment was removed.</source>
      <translation>Die verwaltete Umgebung wurde entfernt.</translation>
    </message>
    <message>
      <source>There is no managed environment.</source>
      <translation>Es gibt keine verwaltete Umgebung.</translation>
    </message>
    <message>
      <source>The worker cannot run in {path}: {problems}</source>
      <translation>Der Worker kann mit {path} nicht laufen: {problems}</translation>
    </message>
    <message>
      <source>The worker is ready: {path}</source>
      <translation>Der Worker ist bereit: {path}</translation>
    </message>
    <message>
      <source>FERD: hyperspectral anomaly detection</source>
      <translation>FERD: hyperspektrale Anomalieerkennung</translation>
    </message>
    <message>
      <source>The raster {path} has no place on the map, so no region can be cut from it: drop the region.</source>
      <translation>Das Raster {path} hat keinen Ort auf der Karte, daher lässt sich kein Gebiet ausschneiden: bitte das Gebiet weglassen.</translation>
    </message>
    <message>
      <source>No pixel of the raster has its centre in a polygon of {region}: check its place and projection.</source>
      <translation>Kein Pixel des Rasters hat seinen Mittelpunkt in einem Polygon von {region}: bitte dessen Lage und Projektion prüfen.</translation>
    </message>
    <message>
      <source>Polygon {number} of {region} cannot be brought to the raster's projection: correct it.</source>
      <translation>Polygon {number} von {region} lässt sich nicht in die Projektion des Rasters bringen: bitte berichtigen.</translation>
    </message>
    <message>
      <source>There is no folder {path}: name the folder that holds the wheel of PyTorch.</source>
      <translation>Den Ordner {path} gibt es nicht: bitte den Ordner angeben, in dem das Wheel von PyTorch liegt.</translation>
    </message>
    <message>
      <source>The Python of this QGIS cannot be found as a program: make an environment yourself, and name its Python.</source>
      <translation>Das Python dieses QGIS ist nicht als Programm zu finden: bitte selbst eine Umgebung erstellen und deren Python angeben.</translation>
    </message>
    <message>
      <source>managed environment</source>
      <translation>verwaltete Umgebung</translation>
    </message>
    <message>
      <source>It lacks {packages}.</source>
      <translation>Es fehlt: {packages}.</translation>
    </message>
    <message>
      <source>GDAL's Python bindings are missing: {why}.</source>
      <translation>Die Python-Anbindung von GDAL fehlt: {why}.</translation>
    </message>
    <message>
      <source>PyTorch: {why}.</source>
      <translation>PyTorch: {why}.</translation>
    </message>
    <message>
      <source>Cancelled; the environment was removed.</source>
      <translation>Abgebrochen; die Umgebung wurde entfernt.</translation>
    </message>
    <message>
      <source>The program {path} cannot be started.</source>
      <translation>Das Programm {path} lässt sich nicht starten.</translation>
    </message>
    <message>
      <source>The environment could not be made (exit code {code}): {words}</source>
      <translation>Die Umgebung konnte nicht erstellt werden (Rückgabewert {code}): {words}</translation>
    </message>
    <message>
      <source>no reason given</source>
      <translation>kein Grund angegeben</translation>
    </message>
    <message>
      <source>QGIS's own Python, which has PyTorch</source>
      <translation>das Python von QGIS, das PyTorch hat</translation>
    </message>
    <message>
      <source>The Python {path} ({origin}) cannot be started: correct it in Settings, Options, FERD.</source>
      <translation>Das Python {path} ({origin}) lässt sich nicht starten: bitte unter Einstellungen, Optionen, FERD berichtigen.</translation>
    </message>
    <message>
      <source>it said nothing</source>
      <translation>keine Ausgabe</translation>
    </message>
    <message>
      <source>The PyTorch worker was killed (signal or code {code}; {last}): most often memory ran out; give a smaller memory budget, close other programs, or choose the backend numpy.</source>
      <translation>Der PyTorch-Worker wurde beendet (Signal oder Code {code}; {last}): meist reicht der Arbeitsspeicher nicht; bitte weniger Arbeitsspeicher vorgeben, andere Programme schließen oder das Backend numpy wählen.</translation>
    </message>
    <message>
      <source>The PyTorch worker ended without a result (exit code {code}; {last}): check it in Settings, Options, FERD, or choose the backend numpy.</source>
      <translation>Der PyTorch-Worker endete ohne Ergebnis (Rückgabewert {code}; {last}): bitte unter Einstellungen, Optionen, FERD prüfen oder das Backend numpy wählen.</translation>
    </message>
    <message>
      <source>The backend numpy has no device cuda: choose another backend or device.</source>
      <translation>Das Backend numpy hat kein Gerät cuda: bitte ein anderes Backend oder Gerät wählen.</translation>
    </message>
    <message>
      <source>There is no Python with PyTorch: name one or make one in Settings, Options, FERD, or choose the backend numpy.</source>
      <translation>Es gibt kein Python mit PyTorch: bitte unter Einstellungen, Optionen, FERD eines angeben oder erstellen oder das Backend numpy wählen.</translation>
    </message>
    <message>
      <source>Runs inside QGIS with NumPy.</source>
      <translation>Läuft mit NumPy in QGIS.</translation>
    </message>
    <message>
      <source>Runs in the PyTorch worker: {path} ({origin}).</source>
      <translation>Läuft im PyTorch-Worker: {path} ({origin}).</translation>
    </message>
    <message>
      <source>Cancelled.</source>
      <translation>Abgebrochen.</translation>
    </message>
    <message>
      <source>The layer '{layer}' is not a raster file (its data provider is '{kind}'): export it to a GeoTIFF first, then choose that.</source>
      <translation>Der Layer „{layer}“ ist keine Rasterdatei (sein Datenanbieter ist „{kind}“): bitte zuerst als GeoTIFF exportieren und dieses wählen.</translation>
    </message>
    <message>
      <source>The layer '{layer}' is read with a login kept by QGIS, which the engine cannot use: export it to a local GeoTIFF first, then choose that.</source>
      <translation>Der Layer „{layer}“ wird mit einer in QGIS hinterlegten Anmeldung gelesen, die FERD nicht verwenden kann: bitte zuerst als lokales GeoTIFF exportieren und dieses wählen.</translation>
    </message>
    <message>
      <source>GDAL cannot open {path} with the options {options}: check the layer's source.</source>
      <translation>GDAL kann {path} mit den Optionen {options} nicht öffnen: bitte die Quelle des Layers prüfen.</translation>
    </message>
    <message>
      <source>Background</source>
      <translation>Hintergrund</translation>
    </message>
    <message>
      <source>Anomaly</source>
      <translation>Anomalie</translation>
    </message>
    <message>
      <source>{label} switched off</source>
      <translation>{label} ausgeschaltet</translation>
    </message>
  </context>
</TS>
